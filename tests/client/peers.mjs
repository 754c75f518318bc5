// Peers that nginx is not: many, slow, silent, hostile, deaf; for 41-peers.bats.
//
//   peers.mjs COMMAND fastcgi=ADDRESS[,ADDRESS] scgi=ADDRESS[,ADDRESS] url=URL
//       pid=DAEMON ...
//
// All are closed when the script ends.
import fs from 'node:fs';

import { PARAMS, FastcgiClient, begin, eventParams, pair, probeParams, record, request }
    from './fastcgi.mjs';
import { malformedFastcgi, malformedScgi } from './malformed.mjs';
import { Peer, expect, main, pause, poll } from './peer.mjs';
import { Prober } from './probe.mjs';
import { randomBytes } from './random.mjs';
import * as scgi from './scgi.mjs';

const ID = 'nobody';
const PROBE_MS = 1000; // the longest that a probe may take, whatever goes on
const WARM_PROBES = 10;

function threads(pid) {
    return Number(/^Threads:\s*(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
}

// Opens count connections, each after the other has answered one request.
async function openKept(address, count) {
    const clients = [];

    try {
        for (let i = 0; i < count; i++) {
            const client = await FastcgiClient.open(address);

            clients.push(client);
            await client.probe(ID, PROBE_MS);
        }
    } catch (error) {
        clients.forEach((client) => client.close()); // or they take the room
        throw error;
    }
    return clients;
}

// Idle kept connections take no thread: more of them than threads, and probes
// are answered on new connections and on those.
async function idle({ fastcgi, pid, count = 500, probes = 200 }) {
    const addresses = fastcgi.split(',');
    const clients = [];
    let slowest = 0;
    let before = 0;

    // It may still be starting its threads.
    for (let i = 0; i < WARM_PROBES; i++) {
        const client = await FastcgiClient.open(addresses[0]);

        expect('state', (await client.probe(ID, PROBE_MS)).state, 'starting');
        client.close();
        before = threads(pid);
    }
    for (const address of addresses) {
        clients.push(...await openKept(address, Number(count) / addresses.length));
    }
    for (let i = 0; i < Number(probes); i++) {
        const began = performance.now();
        const fresh = i % 2 === 0;
        const client = fresh ? await FastcgiClient.open(addresses[i / 2 % addresses.length])
            : clients[i * 7 % clients.length];

        expect('state', (await client.probe(ID, PROBE_MS)).state, 'starting');
        slowest = Math.max(slowest, performance.now() - began);
        if (fresh) {
            client.close();
        }
    }
    expect('closed connections', clients.filter((client) => client.isClosed).length, 0);
    expect('threads', threads(pid), before);
    console.log(`${probes} probes beside ${clients.length} idle connections, ` +
        `${before} threads, slowest ${slowest.toFixed(1)} ms`);
}

// Probes one after the other, by nginx and directly, until stopped; fails if
// one is not answered in time.
class Probing {
    constructor({ url, fastcgi, scgi: scgiAddress }) {
        const [address] = fastcgi.split(',');

        this.prober = new Prober(url);
        this.running = true;
        this.count = 0;
        this.slowest = 0;
        this.done = this.#run(address, scgiAddress?.split(',')[0]);
        this.done.catch(() => {}); // seen by stop()
    }

    async #run(address, scgiAddress) {
        const kept = await FastcgiClient.open(address);

        while (this.running) {
            await this.#timed('nginx', () => this.prober.probe(ID));
            await this.#timed('a kept connection', () => kept.probe(ID, PROBE_MS));
            await this.#timed('a new connection', async () => {
                const [client] = await openKept(address, 1);
                client.close();
            });
            if (scgiAddress) {
                await this.#timed('SCGI', async () => {
                    const params = scgi.request(probeParams(ID));
                    expect('status', (await scgi.ask(scgiAddress, params, PROBE_MS)).status, 200);
                });
            }
            await pause(5);
        }
        kept.close();
    }

    async #timed(what, ask) {
        const began = performance.now();

        await ask();
        const took = performance.now() - began;
        this.count++;
        this.slowest = Math.max(this.slowest, took);
        if (took > PROBE_MS) {
            throw new Error(`a probe by ${what} took ${took.toFixed()} ms`);
        }
    }

    async stop() {
        this.running = false;
        await this.done;
        this.prober.close();
        console.log(`${this.count} probes meanwhile, slowest ${this.slowest.toFixed(1)} ms`);
    }
}

const probeBytes = request(probeParams(ID, { HTTP_COOKIE: 'c'.repeat(150) }));
const scgiBytes = scgi.request(probeParams(ID, { HTTP_COOKIE: 'c'.repeat(150) }));
const http = Buffer.from('GET /progress?X-Progress-ID=a HTTP/1.1\r\nHost: a\r\n\r\n');

// Each kind of peer: how many, and what one of them sends to an address of the
// protocol. `kept` ones have had one request answered.
const kinds = {
    half: {
        count: 40,
        fastcgi: (peer, i) => peer.write(probeBytes.subarray(0, 1 + i * 8 % (probeBytes.length - 1))),
        scgi: (peer, i) => peer.write(scgiBytes.subarray(0, 1 + i * 8 % (scgiBytes.length - 1))),
    },
    halfOfTheSecond: {
        count: 10, kept: true,
        fastcgi: (peer, i) => peer.write(probeBytes.subarray(0, 1 + i * 30)),
    },
    http: { count: 10, fastcgi: (peer) => peer.write(http), scgi: (peer) => peer.write(http) },
    random: {
        count: 20,
        fastcgi: (peer, i) => peer.write(randomBytes(4000, i)),
        scgi: (peer, i) => peer.write(randomBytes(4000, i)),
    },
    otherVersion: {
        count: 10,
        fastcgi: (peer) => peer.write(Buffer.from([2, ...probeBytes.subarray(1)])),
        scgi: (peer) => peer.write(scgi.request(probeParams(ID), { version: 2 })),
    },
    wrongProtocol: {
        count: 10,
        fastcgi: (peer) => peer.write(scgiBytes),
        scgi: (peer) => peer.write(probeBytes),
    },
    silent: { count: 50, fastcgi: () => {}, scgi: () => {} },
    trickle: {
        count: 20,
        fastcgi: (peer) => peer.writeInPieces(probeBytes, 1, 200),
        scgi: (peer) => peer.writeInPieces(scgiBytes, 1, 200),
    },
    stopsInBody: {
        count: 20,
        fastcgi: (peer, i) => peer.write(request(bodyParams(i), { body: 'b'.repeat(50000) })
            .subarray(0, -1000)),
        scgi: (peer, i) => peer.write(Buffer.concat([
            scgi.request(bodyParams(i), { contentLength: 50000 }), Buffer.alloc(49999)])),
    },
};

// Every other one is an event, the others are probes with a body.
function bodyParams(i) {
    return i % 4 < 2 ? probeParams(ID)
        : eventParams('body', `body-${i}`, String(i).padStart(32, '0'));
}

// Opens the peers of one kind, half of them FastCGI, half SCGI.
async function openKind(kind, addresses) {
    const peers = [];

    for (let i = 0; i < kind.count; i++) {
        const protocol = kind.scgi && i % 2 ? 'scgi' : 'fastcgi';
        const address = addresses[protocol][(i >> 1) % addresses[protocol].length];
        const peer = kind.kept ? (await openKept(address, 1))[0] : await Peer.open(address);

        peer.openedAt = performance.now();
        kind[protocol](peer, i);
        peers.push(peer);
    }
    return peers;
}

// All kinds at once: the daemon closes every one within limit milliseconds,
// and none gets an answer that it did not ask for.
async function hostile({ fastcgi, scgi: scgiAddress, url, limit = 4000 }) {
    const addresses = { fastcgi: fastcgi.split(','), scgi: scgiAddress.split(',') };
    const probing = new Probing({ url, fastcgi, scgi: scgiAddress });
    const peers = new Map();

    for (const [name, kind] of Object.entries(kinds)) {
        peers.set(name, await openKind(kind, addresses));
    }
    for (const [name, list] of peers) {
        let longest = 0;

        for (const peer of list) {
            await poll(`the end of a ${name} peer`, () => peer.isClosed, Number(limit));
            longest = Math.max(longest, peer.closedAt - peer.openedAt);
            expect(`answer to a ${name} peer`, peer.received.toString('latin1'), '');
            peer.close();
        }
        console.log(`${name}: ${list.length} closed, the last after ${longest.toFixed()} ms`);
        if (longest > Number(limit)) {
            throw new Error(`a ${name} peer was closed after ${longest.toFixed()} ms only`);
        }
    }
    await probing.stop();
    // A mirrored body that was cut short is no upload that is complete.
    const client = await FastcgiClient.open(addresses.fastcgi[0]);
    expect('state of a cut body', (await client.probe('body-2')).state, 'uploading');
}

// More connections than allowed: the further ones are closed, the earlier ones
// answered; once those have gone, new ones are welcome.
async function crowd({ fastcgi, max }) {
    const kept = await openKept(fastcgi, Number(max));
    const further = [];

    for (let i = 0; i < 30; i++) {
        const peer = await Peer.open(fastcgi);

        peer.write(probeBytes);
        further.push(peer);
    }
    for (const peer of further) {
        await peer.untilClosed();
        expect('answer beyond the limit', peer.received.length, 0);
        peer.close();
    }
    for (const client of [...kept, ...kept]) {
        expect('state', (await client.probe(ID, PROBE_MS)).state, 'starting');
    }
    kept.forEach((client) => client.close());
    await poll('room', () => openKept(fastcgi, Number(max))
        .then((clients) => clients.length === Number(max), () => false));
    console.log(`${max} answered, ${further.length} closed`);
}

// Sends probe after probe and reads nothing. `uri` is one with a long answer.
// Paced: only when another probe has been answered, so that the daemon has
// answered each before it gets the next, and the answers fill the buffers.
async function deaf({ fastcgi, url, uri, paced = '' }) {
    const probing = new Probing({ url, fastcgi });
    const other = await FastcgiClient.open(fastcgi);
    const peer = await Peer.open(fastcgi, { deaf: true });
    const bytes = request(probeParams(ID, { DOCUMENT_URI: uri }));
    let sent = 0;

    await poll('the end of a deaf peer', async () => {
        for (let i = 0; i < (paced ? 1 : 100); i++) {
            peer.write(bytes);
            sent++;
        }
        await other.probe(ID, PROBE_MS);
        return peer.isClosed;
    });
    peer.close();
    await probing.stop();
    console.log(`cut after ${sent} requests`);
}

// Processor time that the daemon has used, in hundredths of a second.
function ticks(pid) {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');

    return Number(fields[11]) + Number(fields[12]);
}

// More connections than the daemon may have descriptors for: a connection that
// it has is answered all the time, new ones once there is room again, and the
// daemon does not spend the time meanwhile on trying over and over.
async function starve({ fastcgi, pid, count = 60, hold = 1000 }) {
    const [kept] = await openKept(fastcgi, 1);
    const peers = Array.from({ length: Number(count) }, () => new Peer(fastcgi));
    const end = performance.now() + Number(hold);
    const before = ticks(pid);

    while (performance.now() < end) {
        await kept.probe(ID, PROBE_MS);
        await pause(20);
    }
    const used = ticks(pid) - before;
    peers.forEach((peer) => peer.close());
    await poll('room', () => openKept(fastcgi, 1).then(() => true, () => false));
    console.log(`${used * 10} ms of processor time in ${hold} ms`);
    if (used * 10 > Number(hold) / 2) {
        throw new Error(`a busy loop: ${used * 10} ms of processor time in ${hold} ms`);
    }
}

function residentKilobytes(pid) {
    return Number(/^VmRSS:\s*(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
}

// Parameters within the limit, in records that are padding for the most part:
// what is kept of them is bounded by the limit, too.
async function bloat({ fastcgi, pid, count = 10 }) {
    const params = pair('HTTP_COOKIE', 'c'.repeat(60000));
    const bytes = Buffer.concat([begin(), ...Array.from(params,
        (byte) => record(PARAMS, [byte], { padding: 255 }))]);
    const before = residentKilobytes(pid);
    const peers = [];

    for (let i = 0; i < Number(count); i++) {
        const peer = await Peer.open(fastcgi);

        peers.push(peer);
        peer.write(bytes);
        await poll('the bytes to be taken', () => peer.socket.writableLength === 0 || peer.isClosed);
    }
    const grown = residentKilobytes(pid) - before;
    peers.forEach((peer) => peer.close());
    console.log(`${count} half requests of ${bytes.length} bytes: ${grown} kB more`);
    if (grown > 50000) {
        throw new Error(`${grown} kB more for ${count} half requests`);
    }
}

// Requests that break the protocol: each is closed without an answer, at once
// and not by a timeout, whether it comes in one piece or in many.
async function malformed({ fastcgi, scgi: scgiAddress, url }) {
    const prober = new Prober(url);
    const all = { [fastcgi]: malformedFastcgi, [scgiAddress]: malformedScgi };
    const wrong = [];

    for (const [address, requests] of Object.entries(all)) {
        for (const [name, bytes] of Object.entries(requests)) {
            for (const pieces of [1, 2, 40]) {
                const peer = await Peer.open(address);

                await peer.writeInPieces(bytes, Math.ceil(bytes.length / pieces));
                await peer.untilClosed(3000).catch(() => wrong.push(`${name}: still open`));
                if (peer.received.length > 0) {
                    wrong.push(`${name}: answered ${peer.received.toString('latin1')}`);
                }
                peer.close();
            }
        }
        await prober.probe(ID);
    }
    expect('malformed requests', [...new Set(wrong)].join('\n'), '');
    prober.close();
}

await main({ idle, hostile, crowd, deaf, starve, bloat, malformed });
