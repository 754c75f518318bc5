// What is asked of a site, over one connection per request, and what came back.
import http from 'node:http';

const COMPARED_HEADERS = ['content-type', 'expires', 'cache-control'];

// { status, reason, type, expires, cache, body }; null where there is none. A
// connection that was closed instead has the reason "closed" and no more.
function answerOf(response, body) {
    const [type, expires, cache] = COMPARED_HEADERS.map((h) => response.headers[h] ?? null);

    return { status: response.statusCode, reason: response.statusMessage,
        type, expires, cache, body };
}

const CLOSED = { status: null, reason: 'closed', type: null, expires: null, cache: null,
    body: null };

function answer(request) {
    return new Promise((resolve) => {
        request.on('error', () => resolve(CLOSED));
        request.on('response', (response) => {
            let body = '';

            response.setEncoding('latin1');
            response.on('data', (chunk) => { body += chunk; });
            response.on('end', () => resolve(answerOf(response, body)));
            response.on('error', () => resolve(CLOSED));
        });
    });
}

function open(site, { method, path, headers }) {
    const { hostname, port } = new URL(site);

    return http.request({ hostname, port, method, path, headers, agent: false });
}

// A probe { method, path, headers, body }.
export function ask(site, probe) {
    const request = open(site, { method: 'GET', headers: {}, ...probe });
    const answered = answer(request);

    request.end(probe.body);
    return answered;
}

// One upload, whose body is sent in steps. Without bytes it is chunked.
export class Upload {
    constructor(site, { method = 'POST', path, headers = {}, bytes = null }) {
        const length = bytes === null ? {} : { 'Content-Length': bytes };

        this.bytes = bytes;
        this.sent = 0;
        this.request = open(site, { method, path,
            headers: { 'Content-Type': 'text/x-body', ...headers, ...length } });
        this.answer = answer(this.request);
        this.request.flushHeaders();
    }

    // Sends until so many bytes of the body are out.
    send(until) {
        this.request.write(Buffer.alloc(until - this.sent, 'x'));
        this.sent = until;
    }

    // Sends the rest, resolves with the answer.
    finish() {
        if (this.sent < this.bytes) {
            this.send(this.bytes);
        }
        this.request.end();
        return this.answer;
    }

    // Goes away; the site sees the connection closed.
    cut() {
        this.request.destroy();
        return this.answer;
    }
}
