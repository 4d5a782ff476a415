// What to type where, by the kind of rig. Keyed by the dialect of the route.

const ANY = {
  name: 'Any rig', steps: [
    'Pool or URL: one of the addresses above. Put this proxy first and your pool itself last, so that the rig earns while the proxy is away.',
    'Worker or user: a name that tells the rig, such as farm.rig1. By it the rig is listed here.',
    'Password: x. With d=1024 in it the rig begins at that difficulty.',
  ],
};

const TESTING = {
  name: 'Without a rig', steps: ['On the machine of the proxy, orepass demo plays a farm, a pool and a failover.'],
};

export const HINTS = {
  hstratum: [ANY, {
    name: 'Goldshell HS1, HS5, HS-Lite, HS-Box', steps: [
      'Miner, Pool settings: URL with stratum+tcp://, worker, password x.',
      'Firmware that takes extranonces of one length alone is found out by its first shares, and gets a pool connection of its own: one reconnect within the first minute is part of that.',
    ],
  }, {
    name: 'HandyMiner and other miners for graphics cards', steps: [
      'Host and port are separate fields: leave stratum+tcp:// out.',
      'They are known by their first words and have what they need from the first seat.',
    ],
  }, TESTING],
  aion: [ANY, {
    name: 'Miners for graphics cards', steps: [
      'Server HOST:PORT, user a worker’s name. Most want the address of a wallet there: the proxy logs in at the pool with its own account, so any name will do.',
      'They may take a few seconds for the first share: a solution is rare.',
    ],
  }, TESTING],
  bitcoin: [ANY, {
    name: 'Antminer, WhatsMiner, Avalon', steps: [
      'Pool settings: URL with stratum+tcp://, worker, password x.',
      'They roll the version of blocks. Where the pool does not grant that, the rig is listed with what to do.',
    ],
  }, {
    name: 'Bitaxe and others with AxeOS', steps: [
      'Settings, Pool: host and port are separate fields, stratum+tcp:// is left out.',
      'A second pool is its fallback: put your pool itself there.',
    ],
  }, TESTING],
  zcash: [ANY, {
    name: 'Antminer Z9, Z11, Z15', steps: [
      'Miner configuration: URL with stratum+tcp://, worker, password x.',
      'Firmware that says “extranonce1 len is not 8” in its own log takes 4 bytes alone: give it a profile with max_extranonce1 = 4.',
    ],
  }, {
    name: 'Miners for graphics cards', steps: [
      'Server HOST:PORT, Equihash 200,9, user a worker’s name. Some want the address of a wallet there: the proxy logs in at the pool with its own account, so any name will do.',
    ],
  }, TESTING],
};

export const hintsOf = (dialect) => HINTS[dialect] ?? [ANY, TESTING];
