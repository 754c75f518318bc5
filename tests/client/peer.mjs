// One connection to the daemon: writes bytes, keeps what comes back, knows
// whether and when the other end has closed it.
import net from 'node:net';

// "unix:/path" or "host:port".
export function target(address) {
    if (address.startsWith('unix:')) {
        return { path: address.slice('unix:'.length) };
    }
    const [, host, port] = /^(.*):(\d+)$/.exec(address);
    return { host, port: Number(port) };
}

export class Peer {
    // deaf: never reads, so that only a failing write tells of the end.
    constructor(address, { deaf = false } = {}) {
        this.received = Buffer.alloc(0);
        this.closedAt = null;
        this.waiting = new Set();
        this.socket = net.createConnection({ ...target(address), noDelay: true });
        this.connected = new Promise((resolve, reject) => {
            this.socket.once('connect', resolve);
            this.socket.once('error', reject);
        });
        this.connected.catch(() => {});
        if (deaf) {
            this.socket.pause();
        } else {
            this.socket.on('data', (data) => {
                this.received = Buffer.concat([this.received, data]);
                this.#wake();
            });
        }
        for (const event of ['end', 'error', 'close']) {
            this.socket.on(event, () => {
                this.closedAt ??= performance.now();
                this.#wake();
            });
        }
    }

    static async open(address, options) {
        const peer = new this(address, options);

        await peer.connected;
        return peer;
    }

    get isClosed() {
        return this.closedAt !== null;
    }

    #wake() {
        this.waiting.forEach((look) => look());
    }

    // Waits until the condition holds, looking whenever something happens.
    until(condition, limitMs = 10000) {
        return new Promise((resolve, reject) => {
            const finish = (settle, value) => {
                clearTimeout(timer);
                this.waiting.delete(look);
                settle(value);
            };
            const look = () => condition() && finish(resolve);
            const timer = setTimeout(() => {
                finish(reject, new Error(`nothing happened for ${limitMs} ms`));
            }, limitMs);

            this.waiting.add(look);
            look();
        });
    }

    untilClosed(limitMs) {
        return this.until(() => this.isClosed, limitMs);
    }

    write(bytes) {
        if (!this.socket.destroyed && this.socket.writable) {
            this.socket.write(bytes);
        }
    }

    // Writes pieces of a few bytes, each in a segment of its own.
    async writeInPieces(bytes, size, delayMs = 0) {
        for (let at = 0; at < bytes.length && !this.isClosed; at += size) {
            this.write(bytes.subarray(at, at + size));
            await pause(delayMs);
        }
    }

    close() {
        this.socket.destroy();
    }
}

export function pause(ms) {
    return new Promise((next) => setTimeout(next, ms));
}

// Polls until look() is true; an error with `what` if that takes too long.
export async function poll(what, look, limitMs = 10000) {
    const end = performance.now() + limitMs;

    while (!await look()) {
        if (performance.now() > end) {
            throw new Error(`timed out waiting for ${what}`);
        }
        await pause(10);
    }
}

// Fails with what was expected and what came.
export function expect(what, got, wanted) {
    if (got !== wanted) {
        throw new Error(`${what} is ${got}, not ${wanted}`);
    }
}

// Runs the function that the first argument of the script names, with the
// others as name=value; exits 1 with the reason if it throws.
export async function main(commands) {
    const [name, ...rest] = process.argv.slice(2);
    const options = Object.fromEntries(rest.map((text) => {
        const at = text.indexOf('=');
        return [text.slice(0, at), text.slice(at + 1)];
    }));

    try {
        await commands[name](options);
        process.exit(0);
    } catch (error) {
        console.error(`${name}: ${error.stack}`);
        process.exit(1);
    }
}
