// Uploads whose log lines come late, twice, in another order or not at all, for
// 62-lost-events.bats: a relay stands between nginx and the daemon.
//
//   lossy.mjs lossy url=URL relay=PORT port=PORT [seed=1] [count=200] [interval=1000]
//
// interval is upload_progress_check_interval in ms. Lines of output that begin
// with "#" are the figures.
import dgram from 'node:dgram';

import { Resolver, summary, untrue, Upload } from './fault-uploads.mjs';
import { expect, main } from './peer.mjs';

const AT_ONCE = 20;
const LOST = 0.5;
const DOUBLED = 0.2;
const WINDOW = 8;      // datagrams that may overtake each other
const WINDOW_MS = 100; // and how long they are held at most
const GRACE_MS = 1000; // of the daemon, for an end that is under way
const SLACK_MS = 10000; // for a busy machine

// Numbers from 0 to 1, the same in every run with that seed (mulberry32).
function random(seed) {
    let state = seed;

    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let t = Math.imul(state ^ (state >>> 15), state | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

// Passes on what nginx logs, and notes whose ends it has kept from the daemon.
class Relay {
    constructor(from, to, seed) {
        this.to = Number(to);
        this.random = random(Number(seed));
        this.held = [];
        this.counts = { came: 0, lost: 0, doubled: 0, overtaken: 0 };
        this.told = new Set(); // IDs whose end was passed on
        this.socket = dgram.createSocket('udp4');
        this.socket.on('message', (message) => this.#take(message));
        this.ready = new Promise((next) => {
            this.socket.bind(Number(from), '127.0.0.1', next);
        });
        this.timer = setInterval(() => this.#release(0), WINDOW_MS);
    }

    #take(message) {
        this.counts.came++;
        if (this.random() < LOST) {
            this.counts.lost++;
            return;
        }
        const end = / arg="([^"]*)" request_id="/.exec(message.toString('latin1'));

        if (end) {
            this.told.add(end[1]);
        }
        this.held.push(message);
        if (this.random() < DOUBLED) {
            this.counts.doubled++;
            this.held.push(message);
        }
        this.#release(WINDOW);
    }

    // Passes datagrams on, in any order, until so many are left.
    #release(left) {
        while (this.held.length > left) {
            const at = Math.floor(this.random() * this.held.length);

            this.counts.overtaken += at > 0;
            this.socket.send(this.held.splice(at, 1)[0], this.to, '127.0.0.1');
        }
    }

    close() {
        clearInterval(this.timer);
        this.socket.close();
    }
}

// Kinds of uploads; started: nginx mirrors their start.
const kinds = [
    { name: 'small', bytes: 1024, started: false },
    { name: 'memory', bytes: 9000, started: true },
    { name: 'file', bytes: 300000, started: true },
    { name: 'slow', bytes: 300000, rate: 300000, started: true },
    { name: 'failed', bytes: 300000, query: '&status=500', started: true },
    { name: 'refused', bytes: 300000, path: '/limited', started: false },
    { name: 'cut', bytes: 300000, rate: 300000, abortAt: 150000, started: true },
];

// What is wrong with an answer. Where the end is lost the answer is concluded
// from the bytes; without a start there is nothing to conclude from.
function judge(relay, kindOf) {
    return (upload, answer) => {
        const kind = kindOf.get(upload);
        const { state, status, inferred, received, size } = answer;
        const look = `${upload.id}: ${state} ${status} ${received} of ${size} inferred ${inferred}`;

        if (relay.told.has(upload.id)) {
            return untrue(upload, answer) || (inferred ? `${look}, though told` : '');
        }
        if (!kind.started) {
            return state === 'starting' ? '' : `${look}, though nothing was told`;
        }
        const done = inferred && state === 'done' && status === null && received === upload.bytes;
        const error = inferred && state === 'error' && status === 499 && received <= upload.sent;
        return (upload.status !== null ? done : error) ? '' : `${look}, end lost`;
    };
}

// Runs uploads, so many at once; gives the delays from the end to the truth.
async function runAll(url, relay, { prefix, count, quick, limitMs }) {
    const kindOf = new Map();
    const resolver = new Resolver(url, judge(relay, kindOf));
    const delay = quick ? '' : '&delay=400'; // so that a probe sees every byte
    const uploads = Array.from({ length: count }, (_, i) => {
        const kind = kinds[i % kinds.length];
        const upload = new Upload(url, { ...kind, id: `${prefix}-${kind.name}-${i}`,
            query: (kind.query ?? '') + delay });

        kindOf.set(upload, kind);
        return upload;
    });
    const queue = [...uploads];

    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        for (let upload = queue.shift(); upload; upload = queue.shift()) {
            await resolver.run(upload);
        }
    }));
    const delays = await resolver.finish(limitMs + SLACK_MS);
    return { uploads, delays };
}

async function lossy({ url, relay: from, port, seed = 1, count = 200, interval = 1000 }) {
    const relay = new Relay(from, port, seed);
    const limitMs = Number(interval) + GRACE_MS;

    await relay.ready;
    const strict = await runAll(url, relay, { prefix: `probed-${seed}`, count: Number(count), limitMs });
    const quick = await runAll(url, relay, { prefix: `quick-${seed}`, count: 70, quick: true, limitMs });
    relay.close();
    const lost = strict.uploads.filter(({ id }) => !relay.told.has(id));
    const { came, lost: dropped, doubled, overtaken } = relay.counts;
    console.log(`# ${came} lines: ${dropped} lost, ${doubled} doubled, ${overtaken} out of order`);
    console.log(`# ${strict.uploads.length} uploads, ${lost.length} ends lost; ` +
        `from the end to the truth: ${summary(strict.delays)}`);
    const unprobed = quick.uploads.filter(({ id }) => !relay.told.has(id));
    console.log(`# ${quick.uploads.length} without a probe's time to see the last bytes, ` +
        `${unprobed.length} ends lost; from the end to the truth: ${summary(quick.delays)}`);
    if (Math.max(...strict.delays) > limitMs + SLACK_MS) {
        throw new Error(`an answer was wrong for ${Math.max(...strict.delays)} ms`);
    }
    expect('lines lost', dropped > came / 4, true);
    expect('ends lost', lost.length > 0 && lost.length < strict.uploads.length, true);
}

await main({ lossy });
