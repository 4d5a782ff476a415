//! Rigs, and what is none.

use std::time::Duration;

use orepass_sim::net::{RigFarm, RigHandle};
use orepass_sim::rig::RigConfig;
use orepass_tests::client::Client;
use orepass_tests::site::mixed_rig;
use orepass_tests::wait::until;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scene::{Scene, Setting, all, refused};

const LOGIN: &[u8] = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"odd/1\"]}\n\
    {\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"odd\",\"x\"]}\n";

/// Reads what comes until the other side ends.
async fn rest(stream: &mut TcpStream) -> usize {
    let mut read = 0;
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        read += count;
    }
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rigs_that_write_byte_by_byte() {
    let scene = Scene::set(Setting::default()).await;
    let address = scene.proxy.address.clone();
    let fault = || {
        let address = address.clone();
        all((0..200).map(move |_| {
            let address = address.clone();
            async move {
                let mut stream = TcpStream::connect(&address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                for byte in LOGIN {
                    stream.write_all(&[*byte]).await.unwrap();
                    tokio::task::yield_now().await;
                }
                let mut answer = [0; 8];
                stream.read_exact(&mut answer).await.unwrap();
            }
        }))
    };
    scene.twice("byte by byte", fault).await;
    scene.close().await.unnoticed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rigs_that_close_one_half_and_rigs_that_break_off_in_mid_line() {
    let scene = Scene::set(Setting::default()).await;
    let address = scene.proxy.address.clone();
    let fault = || {
        let address = address.clone();
        all((0..400).map(move |number| {
            let address = address.clone();
            async move {
                let mut stream = TcpStream::connect(&address).await.unwrap();
                if number % 2 == 0 {
                    stream.write_all(LOGIN).await.unwrap();
                    stream.shutdown().await.unwrap();
                    assert!(rest(&mut stream).await > 0, "it listens still");
                } else {
                    let half = &LOGIN[..LOGIN.len() - number % 50 - 1];
                    stream.write_all(half).await.unwrap();
                    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                }
            }
        }))
    };
    scene.twice("half closed, and reset in mid-line", fault).await;
    scene.close().await.unnoticed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_rigs_that_leave_and_come_back_at_once() {
    let setting = Setting { route: "max_channels = 16", ..Setting::default() };
    let scene = Scene::set(setting).await;
    let crowd = RigFarm::start(2_000, &scene.proxy.address, Duration::ZERO, |number| RigConfig {
        hashrate: 4.0,
        reconnect_max: Duration::from_millis(10),
        ..mixed_rig(1_000 + number)
    });
    let mining = || crowd.stats().mining;
    until("the crowd mines", mining, |mining| *mining == 2_000).await;
    let fault = || async {
        let connects = crowd.stats().connects;
        crowd.rigs().iter().for_each(RigHandle::drop_connection);
        let back = || (crowd.stats().connects, crowd.stats().mining);
        until("all are back", back, |back| *back == (connects + 2_000, 2_000)).await;
    };
    scene.twice("2,000 leave and come back", fault).await;
    crowd.stop_mining();
    until("answers", || crowd.stats().pending, |pending| *pending == 0).await;
    let crowd = crowd.close().await;
    // Where no other lease was free a rig got its own again, and repeated itself.
    assert_eq!((refused(&crowd, &[21, 22]), crowd.connect_failures), (0, 0), "{crowd:?}");
    scene.close().await.unnoticed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rigs_that_send_rubbish_of_every_kind() {
    let scene = Scene::set(Setting::default()).await;
    let address = scene.proxy.address.clone();
    let fault = || {
        let address = address.clone();
        all((0..100).map(move |number| {
            let address = address.clone();
            async move {
                let mut client = Client::connect(&address).await;
                let mut random = fastrand::Rng::with_seed(number);
                for _ in 0..50 {
                    let mut line: Vec<u8> =
                        (0..random.usize(..300)).map(|_| random.u8(..)).collect();
                    line.insert(0, b'{');
                    line.push(b'\n');
                    client.send_bytes(&line).await;
                }
                client.rest().await;
            }
        }))
    };
    scene.twice("random bytes", fault).await;
    scene.close().await.unnoticed();
}
