// What stages.mjs uploads with: HTTP/1 written by hand, so that every byte is
// sent when it should be, and HTTP/2.
import { Peer } from './peer.mjs';
import { connectHttp2, openHttp2 } from './request.mjs';

const numbers = ['size', 'response', 'told', 'received', 'backend', 'body'];
const names = [...numbers, 'path', 'id', 'in', 'method', 'host', 'stages', 'http', 'chunked', 'auth',
    'expect', 'proxy', 'url', 'live', 'early', 'pending', 'known', 'zone', 'processing'];

// A PLACE as stages.mjs describes it, with all that it leaves out.
export function parse(words, url) {
    const given = Object.fromEntries(words.trim().split(/\s+/).map((word) => {
        const at = word.indexOf('=');
        return [word.slice(0, at), word.slice(at + 1)];
    }));
    const unknown = Object.keys(given).find((name) => !names.includes(name));

    if (unknown !== undefined) {
        throw new Error(`no such word: ${unknown}`);
    }
    const size = Number(given.size ?? 600000);
    const response = given.response ?? 200;
    const place = {
        url, id: given.path.replace(/[^a-z0-9]/gi, ''), method: 'POST', size, http: '1.1',
        live: 'exact', response, told: response, received: size, known: size, backend: 1, zone: 'uploads',
        body: size, ...given,
        stages: (given.stages ?? '200000,400000').split(',').filter(Boolean).map(Number),
    };
    for (const name of numbers) {
        place[name] = ['inferred', 'any'].includes(place[name]) ? place[name] : Number(place[name]);
    }
    return place;
}

function pathOf({ path, id, in: where }) {
    return where === 'header' ? path : `${path}${path.includes('?') ? '&' : '?'}X-Progress-ID=${id}`;
}

function headersOf(place) {
    const { auth, id, chunked, expect, size, http } = place;

    return {
        'content-type': 'application/octet-stream',
        ...(place.in === 'header' && { 'x-progress-id': id }),
        ...(auth && { authorization: `Basic ${Buffer.from(auth).toString('base64')}` }),
        ...(expect && { expect: '100-continue' }),
        ...(!chunked && { 'content-length': size }),
        ...(chunked && http !== '2' && { 'transfer-encoding': 'chunked' }),
    };
}

export class RawClient {
    constructor(place) {
        this.place = place;
        this.goesOn = false; // was told to by 100 Continue
    }

    async begin() {
        const { url, method, http, host, proxy } = this.place;
        const lines = [`${method} ${pathOf(this.place)} HTTP/${http}`, `Host: ${host ?? 'localhost'}`];

        this.peer = await Peer.open(new URL(url).host);
        for (const [name, value] of Object.entries(headersOf(this.place))) {
            lines.push(`${name}: ${value}`);
        }
        if (proxy) {
            this.peer.write('PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n');
        }
        this.peer.write(`${lines.join('\r\n')}\r\n\r\n`);
    }

    // Looks at what has come, too.
    get status() {
        let text = this.peer.received.toString('latin1');

        while (/^HTTP\/1\.1 100 /.test(text) && text.includes('\r\n\r\n')) {
            this.goesOn = true;
            text = text.slice(text.indexOf('\r\n\r\n') + 4);
        }
        const match = /^HTTP\/1\.1 (\d+)/.exec(text);
        return match ? Number(match[1]) : null;
    }

    get isClosed() {
        return this.peer.isClosed;
    }

    // A chunked answer of HTTP/1.1.
    get isComplete() {
        return this.peer.received.toString('latin1').endsWith('\r\n0\r\n\r\n');
    }

    until(condition, limitMs) {
        return this.peer.until(condition, limitMs);
    }

    write(bytes) {
        if (this.place.chunked && bytes.length > 0) {
            this.peer.write(`${bytes.length.toString(16)}\r\n`);
            this.peer.write(bytes);
            this.peer.write('\r\n');
        } else {
            this.peer.write(bytes);
        }
    }

    end() {
        if (this.place.chunked) {
            this.peer.write('0\r\n\r\n');
        }
    }

    close() {
        this.peer.close();
    }
}

export class StreamClient {
    constructor(place) {
        this.place = place;
        this.status = null;
        this.isClosed = false;
        this.goesOn = false;
    }

    async begin() {
        const { url, method } = this.place;

        this.session = await connectHttp2(url);
        this.session.on('error', () => {});
        this.request = openHttp2(this.session, { path: pathOf(this.place), method,
            headers: headersOf(this.place) });
        this.request.stream.on('response', (headers) => { this.status = headers[':status']; });
        this.request.stream.on('error', () => {});
        this.request.stream.on('close', () => { this.isClosed = true; });
    }

    async until(condition, limitMs) {
        const end = Date.now() + limitMs;

        while (!condition()) {
            if (Date.now() > end) {
                throw new Error(`nothing happened for ${limitMs} ms`);
            }
            await new Promise((next) => setTimeout(next, 10));
        }
    }

    write(bytes) {
        if (!this.request.stream.destroyed) {
            this.request.stream.write(bytes);
        }
    }

    end() {
        this.request.stream.end();
    }

    close() {
        this.session.destroy();
    }
}
