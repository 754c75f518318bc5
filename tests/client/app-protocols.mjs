// Applications behind nginx, one port for each protocol that nginx passes
// requests on by: HTTP, FastCGI, SCGI, uwsgi and gRPC (HTTP/2 without TLS).
// Usage: app-protocols.mjs HTTP FASTCGI SCGI UWSGI GRPC (ports)
//
// Each reads the whole body and answers 200. The query shapes that: status=302,
// early=BYTES to answer once so much of the body has come, accel=URI to answer with
// X-Accel-Redirect, drop=1 to close the connection (HTTP), delay=MS before the
// answer, trickle=MS between its header and its end (HTTP).
// GET /journal?id=ID on the HTTP port gives what came with that progress ID,
// through whichever port: [{ by, method, uri, bytes, complete }].
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';

import { BEGIN, END, PARAMS, record, STDIN, STDOUT } from './fastcgi.mjs';

const journal = [];

function arrived(by, { method, uri, header }) {
    const query = new URL(uri, 'http://app').searchParams;
    const entry = { id: header ?? query.get('X-Progress-ID'), by, method, uri, bytes: 0,
        complete: false };

    journal.push(entry);
    return { entry, query };
}

// What to answer: a status and headers.
function answerTo(query) {
    const headers = { 'Content-Type': 'text/plain' };

    if (query.has('accel')) {
        headers['X-Accel-Redirect'] = query.get('accel');
    }
    return { status: Number(query.get('status') ?? 200), headers };
}

function asCgi({ status, headers }) {
    const lines = Object.entries({ Status: status, ...headers })
        .map(([name, value]) => `${name}: ${value}\r\n`);

    return Buffer.from(`${lines.join('')}\r\nread\n`);
}

async function serveHttp(request, response) {
    if (request.url.startsWith('/journal')) {
        const id = new URL(request.url, 'http://app').searchParams.get('id');
        response.end(JSON.stringify(journal.filter((entry) => entry.id === id)));
        return;
    }
    const { entry, query } = arrived('http', { method: request.method, uri: request.url,
        header: request.headers['x-progress-id'] });
    const { status, headers } = answerTo(query);
    const answer = () => {
        response.writeHead(status, headers);
        response.write('read\n');
        setTimeout(() => response.end(), Number(query.get('trickle') ?? 0));
    };

    request.on('error', () => {});
    response.on('error', () => {});
    try {
        for await (const chunk of request) {
            entry.bytes += chunk.length;
            if (query.has('early') && !response.headersSent &&
                entry.bytes >= Number(query.get('early'))) {
                answer();
            }
        }
    } catch {
        return; // cut off: not complete
    }
    entry.complete = true;
    if (query.has('drop')) {
        request.socket.destroy();
    } else if (!query.has('early')) {
        setTimeout(answer, Number(query.get('delay') ?? 0));
    }
}

// gRPC's framing does not matter to nginx, nor here: a body is bytes.
function serveGrpc(stream, headers) {
    const { entry, query } = arrived('grpc', { method: headers[':method'], uri: headers[':path'],
        header: headers['x-progress-id'] });

    stream.on('error', () => {});
    stream.on('data', (data) => { entry.bytes += data.length; });
    stream.on('end', () => {
        entry.complete = true;
        stream.respond({ ':status': answerTo(query).status, 'content-type': 'application/grpc' });
        stream.end('read\n');
    });
}

// Serves one request on each connection: parse(bytes) gives { params, length,
// rest } once the parameters are there, or null.
function serveOnce(by, parse) {
    return net.createServer((socket) => {
        let head = Buffer.alloc(0);
        let begun = null;
        const take = (data) => {
            begun.entry.bytes += data.length;
            if (begun.entry.bytes >= begun.length && !begun.entry.complete) {
                begun.entry.complete = true;
                socket.end(asCgi(answerTo(begun.query)));
            }
        };

        socket.on('error', () => {});
        socket.on('data', (data) => {
            if (begun !== null) {
                take(data);
                return;
            }
            head = Buffer.concat([head, data]);
            const parsed = parse(head);
            if (parsed !== null) {
                begun = { ...arrived(by, ofCgi(parsed.params)), length: parsed.length };
                take(parsed.rest);
            }
        });
    });
}

function ofCgi(params) {
    return { method: params.REQUEST_METHOD, uri: params.REQUEST_URI,
        header: params.HTTP_X_PROGRESS_ID };
}

function parseScgi(bytes) {
    const colon = bytes.indexOf(':');
    const size = colon < 0 ? Infinity : Number(bytes.subarray(0, colon));
    const end = colon + 1 + size;

    if (bytes.length < end + 1) {
        return null;
    }
    const parts = bytes.subarray(colon + 1, end).toString().split('\0');
    const params = {};
    for (let i = 0; i + 1 < parts.length; i += 2) {
        params[parts[i]] = parts[i + 1];
    }
    return { params, length: Number(params.CONTENT_LENGTH || 0), rest: bytes.subarray(end + 1) };
}

// A header of four bytes, then strings with two bytes of length before each.
function parseUwsgi(bytes) {
    if (bytes.length < 4 || bytes.length < 4 + bytes.readUInt16LE(1)) {
        return null;
    }
    const end = 4 + bytes.readUInt16LE(1);
    const strings = [];
    for (let at = 4; at < end;) {
        const size = bytes.readUInt16LE(at);
        strings.push(bytes.subarray(at + 2, at + 2 + size).toString());
        at += 2 + size;
    }
    const params = {};
    for (let i = 0; i + 1 < strings.length; i += 2) {
        params[strings[i]] = strings[i + 1];
    }
    return { params, length: Number(params.CONTENT_LENGTH || 0), rest: bytes.subarray(end) };
}

function fastcgiParams(bytes) {
    const params = {};
    let at = 0;
    const length = () => {
        const four = bytes[at] >= 128;
        const value = four ? bytes.readUInt32BE(at) & 0x7fffffff : bytes[at];
        at += four ? 4 : 1;
        return value;
    };

    while (at < bytes.length) {
        const name = length();
        const value = length();
        params[bytes.subarray(at, at + name)] =
            bytes.subarray(at + name, at + name + value).toString();
        at += name + value;
    }
    return params;
}

// Requests follow each other on a connection; the body ends with an empty
// record, whatever CONTENT_LENGTH says.
function serveFastcgi(socket) {
    let bytes = Buffer.alloc(0);
    let params = [];
    let begun = null;
    let keep = false;
    const handle = (type, content) => {
        if (type === BEGIN) {
            params = [];
            begun = null;
            keep = (content[2] & 1) === 1;
        } else if (type === PARAMS && content.length > 0) {
            params.push(Buffer.from(content));
        } else if (type === PARAMS) {
            begun = arrived('fastcgi', ofCgi(fastcgiParams(Buffer.concat(params))));
        } else if (type === STDIN && content.length > 0) {
            begun.entry.bytes += content.length;
        } else if (type === STDIN) {
            begun.entry.complete = true;
            socket.write(Buffer.concat([record(STDOUT, asCgi(answerTo(begun.query))),
                record(STDOUT), record(END, Buffer.alloc(8))]));
            if (!keep) {
                socket.end();
            }
        }
    };

    socket.on('error', () => {});
    socket.on('data', (data) => {
        bytes = Buffer.concat([bytes, data]);
        while (bytes.length >= 8 && bytes.length >= 8 + bytes.readUInt16BE(4) + bytes[6]) {
            const end = 8 + bytes.readUInt16BE(4);
            handle(bytes[1], bytes.subarray(8, end));
            bytes = bytes.subarray(end + bytes[6]);
        }
    });
}

const [httpPort, fastcgiPort, scgiPort, uwsgiPort, grpcPort] = process.argv.slice(2).map(Number);
const web = http.createServer(serveHttp);
const grpc = http2.createServer();

web.requestTimeout = 0;
grpc.on('stream', serveGrpc);
grpc.on('sessionError', () => {});
// The HTTP port comes last: once it listens, all do.
net.createServer(serveFastcgi).listen(fastcgiPort, '127.0.0.1', () =>
    serveOnce('scgi', parseScgi).listen(scgiPort, '127.0.0.1', () =>
        serveOnce('uwsgi', parseUwsgi).listen(uwsgiPort, '127.0.0.1', () =>
            grpc.listen(grpcPort, '127.0.0.1', () =>
                web.listen(httpPort, '127.0.0.1')))));
