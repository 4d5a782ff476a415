//! Whom a job's block would pay, in words, and whether the operator wants that.

use std::fmt;

use crate::address::{Network, PayAddress, of_script};
use crate::coinbase::{Coinbase, Payout};
use crate::job::Job;

/// So many payouts are named where a job is refused for them.
const NAMED: usize = 6;
/// So many bytes of a script without an address are shown.
const SHOWN_SCRIPT: usize = 24;

/// Displays as how much goes to whom.
///
/// ```
/// use orepass_bitcoin::address::{PayAddress, Network};
/// use orepass_bitcoin::coinbase::Payout;
/// use orepass_bitcoin::payout::shown;
///
/// let address: PayAddress = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa".parse()?;
/// let payout = Payout { satoshis: 312_500_000, script: address.script().into() };
/// let text = shown(&payout, Network::Main).to_string();
/// assert_eq!(text, "3.125 BTC to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa");
/// # Ok::<(), orepass_bitcoin::address::AddressError>(())
/// ```
pub fn shown(payout: &Payout, network: Network) -> impl fmt::Display {
    const UNIT: u64 = 100_000_000;
    fmt::from_fn(move |f| {
        let Payout { satoshis, script } = payout;
        let fraction = format!("{:08}", satoshis % UNIT);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{}{point}{fraction} BTC to ", satoshis / UNIT)?;
        match of_script(script, network) {
            Some(address) => f.write_str(&address),
            None => {
                let start = script.get(..SHOWN_SCRIPT).unwrap_or(script);
                let more = if start.len() < script.len() { "…" } else { "" };
                write!(f, "the script {}{more}", const_hex::encode(start))
            }
        }
    })
}

/// Whether a job pays these addresses and nobody else. What of them gets how much is left to the pool.
///
/// # Errors
/// What was expected and what came.
pub fn verify(job: &Job, wanted: &[PayAddress]) -> Result<(), String> {
    let came = match job.coinbase() {
        Some(Ok(Coinbase { payouts })) => {
            let is_wanted =
                |payout: &Payout| wanted.iter().any(|wanted| wanted.script() == &*payout.script);
            if !payouts.is_empty() && payouts.iter().all(is_wanted) {
                return Ok(());
            }
            all(payouts, network(wanted))
        }
        Some(Err(error)) => format!("a coinbase that cannot be read: {error}"),
        None => "a job before the extranonce, without which its coinbase cannot be read".into(),
    };
    let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let wanted = wanted.join(" or ");
    Err(format!(
        "its jobs must pay {wanted} and nobody else (`verify_payout`), and what came is {came}"
    ))
}

/// The chain whose addresses the operator uses.
#[must_use]
pub fn network(wanted: &[PayAddress]) -> Network {
    wanted.first().map_or(Network::Main, PayAddress::network)
}

fn all(payouts: &[Payout], network: Network) -> String {
    let mut texts: Vec<String> =
        payouts.iter().take(NAMED).map(|payout| shown(payout, network).to_string()).collect();
    if payouts.len() > NAMED {
        texts.push(format!("{} more", payouts.len() - NAMED));
    }
    if texts.is_empty() { "no payment at all".into() } else { texts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_in_bitcoin_and_strange_scripts_in_part() {
        let text = |satoshis, script: &[u8]| {
            shown(&Payout { satoshis, script: script.into() }, Network::Main).to_string()
        };
        assert_eq!(text(1, &[0x6a]), "0.00000001 BTC to the script 6a");
        assert_eq!(text(5_000_000_000, &[]), "50 BTC to the script ");
        let long = text(312_512_340, &[0xab; 67]);
        assert_eq!(long, format!("3.1251234 BTC to the script {}…", "ab".repeat(24)));
    }
}
