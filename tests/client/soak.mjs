// A day of work in a short time: uploads of all sizes, some cut off, some
// refused, over HTTP/1.1 and HTTP/2, probes of all outputs, reloads of nginx;
// for 66-soak.bats.
//
//   soak.mjs soak url=URL tls=TLS_URL pid=DAEMON nginx=PIDFILE seconds=N ttl=S
//       [seed=1] [reload=10]
//
// Meanwhile it samples the daemon's memory, descriptors and rows, and fails if
// they grow: if the median of the second half is beyond that of the first, after
// a warm-up, by more than the tolerances below. Lines of output that begin with
// "#" are the figures.
import fs from 'node:fs';
import http from 'node:http';

import { Asker, Upload } from './fault-uploads.mjs';
import { expect, main, pause, poll } from './peer.mjs';
import { connectHttp2, openHttp2 } from './request.mjs';

const LOOPS = 8;
const SAMPLE_MS = 500;
const ROWS_EVERY = 10; // samples
const WARM_UP = 0.25;
const OUTPUTS = ['', '/jsonp', '/java', '/xml', '/detail'];
const TOLERANCES = { // part of the first median, and what is added
    kilobytes: [0.05, 1024],
    descriptors: [0.1, 10], // a temporary file each, and kept connections
    rows: [0.3, 50],
};

function random(seed) {
    let state = seed >>> 0;

    return (below) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor(state / 4294967296 * below);
    };
}

function median(list) {
    return [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
}

class Soak {
    constructor({ url, tls, pid, nginx, seconds, ttl, seed = 1, reload = 10 }) {
        Object.assign(this, { url, tls, pid, nginx, ttl: Number(ttl), reload: Number(reload) });
        this.end = performance.now() + Number(seconds) * 1000;
        this.random = random(Number(seed));
        this.ids = [];
        this.counts = { uploads: 0, cut: 0, failed: 0, probes: 0, reloads: 0 };
        this.unexpected = [];
        this.samples = { kilobytes: [], descriptors: [], rows: [] };
        this.asker = new Asker(url);
    }

    get over() {
        return performance.now() > this.end;
    }

    // Some IDs are used again, most are new.
    #id() {
        if (this.ids.length > 0 && this.random(20) === 0) {
            return this.ids[this.random(this.ids.length)];
        }
        this.ids.push(`soak-${this.ids.length}-${'x'.repeat(this.random(30))}`);
        return this.ids.at(-1);
    }

    async #upload() {
        const bytes = [500, 9000, 30000, 300000, 700000][this.random(5)];
        const cut = this.random(8) === 0;
        const failed = this.random(8) === 0;
        const upload = new Upload(this.url, {
            id: this.#id(), bytes, abortAt: cut ? Math.floor(bytes / 2) : null,
            rate: this.random(3) === 0 ? 500000 : 0,
            query: failed ? '&status=500' : '', agent: this.random(2) ? this.agent : false,
        });

        await upload.run();
        this.counts.uploads++;
        this.counts.cut += upload.aborted;
        this.counts.failed += upload.status === 500;
        // A reload closes kept connections: only what was new is to be answered.
        if (!upload.aborted && upload.status === null && upload.agent === false) {
            this.unexpected.push(`upload: ${upload.failure}`);
        }
    }

    async #uploadHttp2() {
        const session = await connectHttp2(this.tls);
        const bytes = 20000 + this.random(300000);
        const { stream, response } = await openHttp2(session, { method: 'POST',
            path: `/upload?X-Progress-ID=${this.#id()}`, headers: { 'content-length': bytes } });

        if (this.random(6) === 0) {
            stream.write(Buffer.alloc(10000, 'x'));
            await pause(20);
            session.destroy();
            this.counts.cut++;
        } else {
            stream.end(Buffer.alloc(bytes, 'x'));
            expect('status over HTTP/2', await response, 200);
            session.close();
        }
        this.counts.uploads++;
    }

    async #work() {
        while (!this.over) {
            await (this.random(4) === 0 ? this.#uploadHttp2() : this.#upload())
                .catch((error) => this.#failed(error.message));
            await pause(this.random(30));
        }
    }

    // A worker that is about to end takes no further stream on its connections.
    #failed(message) {
        if (!message.includes('NGHTTP2_REFUSED_STREAM')) {
            this.unexpected.push(message);
        }
    }

    // Each on a connection of its own, so that a reload cuts none off.
    #probe() {
        const id = this.ids[Math.max(0, this.ids.length - 1 - this.random(50))] ?? 'nobody';
        const uri = `/progress${OUTPUTS[this.random(OUTPUTS.length)]}?X-Progress-ID=${id}`;

        return new Promise((resolve) => {
            http.get(`${this.url}${uri}`, { agent: false }, (response) => {
                response.on('close', () => resolve(response.statusCode));
                response.resume();
            }).on('error', (error) => resolve(error.message));
        });
    }

    async #probes() {
        while (!this.over) {
            const status = await this.#probe();

            this.counts.probes++;
            if (status !== 200) {
                this.unexpected.push(`probe: ${status}`);
            }
            await pause(5);
        }
    }

    async #reloads() {
        for (let i = 1; !this.over; i++) {
            await pause(1000);
            if (i % this.reload === 0) {
                process.kill(Number(fs.readFileSync(this.nginx, 'utf8')), 'SIGHUP');
                this.counts.reloads++;
            }
        }
    }

    // Uploads that the daemon knows of; older IDs than these are long gone.
    async #rows() {
        const answers = await this.asker.ask([...new Set(this.ids.slice(-2000))]);

        return [...answers.values()].filter(({ state }) => state !== 'starting').length;
    }

    async #sample() {
        for (let i = 0; !this.over; i++) {
            await pause(SAMPLE_MS);
            const status = fs.readFileSync(`/proc/${this.pid}/status`, 'utf8');

            this.samples.kilobytes.push(Number(/^VmRSS:\s*(\d+)/m.exec(status)[1]));
            this.samples.descriptors.push(fs.readdirSync(`/proc/${this.pid}/fd`).length);
            if (i % ROWS_EVERY === 0) {
                await this.#rows().then((rows) => this.samples.rows.push(rows), () => {});
            }
        }
    }

    async run() {
        this.agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
        await Promise.all([...Array.from({ length: LOOPS }, () => this.#work()),
            this.#probes(), this.#probes(), this.#reloads(), this.#sample()]);
        this.agent.destroy();
        console.log(`# ${Object.entries(this.counts)
            .map(([what, count]) => `${count} ${what}`).join(', ')}`);
    }

    // What has grown.
    growth() {
        const grown = [];

        for (const [what, all] of Object.entries(this.samples)) {
            const list = all.slice(Math.floor(all.length * WARM_UP));
            const first = median(list.slice(0, Math.floor(list.length / 2)));
            const second = median(list.slice(Math.floor(list.length / 2)));
            const [share, added] = TOLERANCES[what];

            console.log(`# ${what}: median ${first}, then ${second}; from ` +
                `${Math.min(...all)} to ${Math.max(...all)}, at last ${all.at(-1)}`);
            // Of a build with a sanitizer it is that one's memory.
            if (second > first * (1 + share) + added &&
                !(what === 'kilobytes' && (process.env.BUILD ?? '').includes('-'))) {
                grown.push(`${what} from ${first} to ${second}`);
            }
        }
        return grown.join();
    }

    // Once nothing is sent any more all rows go, after their time.
    async empty() {
        // nginx may close the kept connection at that moment.
        await poll('all rows to expire', async () => await this.#rows().catch(() => -1) === 0,
            this.ttl * 1000 + 30000);
        this.asker.close();
    }
}

async function soak(options) {
    const work = new Soak(options);

    await work.run();
    const grown = work.growth();
    await work.empty();
    expect('what was not to happen', [...new Set(work.unexpected)].slice(0, 5).join('; '), '');
    expect('reloads', work.counts.reloads > 0, true);
    expect('growth', grown, '');
}

await main({ soak });
