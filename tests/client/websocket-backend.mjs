// The application behind nginx that speaks HTTP and WebSocket (npm: ws). Prints
// "ready" once it listens. Arguments: the port, and as --name=value
//
//   cert, key       files: TLS, which the application does itself
//   proxy-protocol  1: expects a PROXY protocol line before the TLS bytes
//
// A plain request is told, as JSON, of itself: the number of the connection that
// it came on, its headers as they came, the client's address. A socket echoes;
// its query shapes it:
//
//   strict=1    refuses the handshake unless it is HTTP/1.1 and says exactly
//               "Connection: Upgrade"
//   hello=1     sends what a plain request is told, as first message
//   mute=1      answers no message
//   deaf=1      reads nothing
//   ping=MS     pings the client that often
//   flood=BYTES sends that many in messages of 64 KiB, as fast as they are taken;
//               a plain request for .../flood is told how many have left
//
// An "Upgrade: h2c" is answered 101 and the tunnel by one line for each request
// line: nothing that a proxy does not want to be bypassed may get there.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { parseArgs } from 'node:util';

import { WebSocketServer } from 'ws';

const { values, positionals: [port] } = parseArgs({
    allowPositionals: true,
    options: Object.fromEntries(['cert', 'key', 'proxy-protocol']
        .map((name) => [name, { type: 'string' }])),
});
const MESSAGE_BYTES = 65536;
const sockets = new WebSocketServer({ noServer: true, maxPayload: 16 << 20 });
const numbers = new Map(); // of connections that a plain request came on
const flood = { sent: 0, socket: null };

function numberOf(socket) {
    if (!numbers.has(socket)) {
        numbers.set(socket, numbers.size + 1);
    }
    return numbers.get(socket);
}

// name: value pairs as they came, repeated ones as lists.
function headersOf(request) {
    const headers = {};

    for (let i = 0; i < request.rawHeaders.length; i += 2) {
        const name = request.rawHeaders[i].toLowerCase();
        const value = request.rawHeaders[i + 1];
        headers[name] = name in headers ? [headers[name], value].flat() : value;
    }
    return headers;
}

function describe(request) {
    return JSON.stringify({
        connection: numberOf(request.socket),
        version: request.httpVersion,
        headers: headersOf(request),
        client: request.socket.clientAddress ?? null,
    });
}

function answer(request, response) {
    request.resume();
    response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'max-age=60' });
    if (new URL(request.url, 'http://backend').pathname.endsWith('/flood')) {
        response.end(JSON.stringify({ left: flood.sent - (flood.socket?.bufferedAmount ?? 0) }));
    } else {
        response.end(describe(request));
    }
}

// Keeps a few messages waiting, so that a reader who stops stops the sender.
function pour(socket, bytes) {
    flood.socket = socket;
    flood.sent = 0;
    const next = () => {
        if (flood.sent < bytes && socket.readyState === socket.OPEN) {
            flood.sent += MESSAGE_BYTES;
            socket.send(Buffer.alloc(MESSAGE_BYTES, flood.sent / MESSAGE_BYTES), next);
        }
    };
    next();
}

function serve(socket, request, query) {
    socket.on('error', () => {});
    if (query.has('hello')) {
        socket.send(describe(request));
    }
    if (!query.has('mute')) {
        socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    }
    if (query.has('deaf')) {
        socket.pause();
    }
    if (query.has('ping')) {
        const timer = setInterval(() => socket.ping(), Number(query.get('ping')));
        socket.on('close', () => clearInterval(timer));
    }
    if (query.has('flood')) {
        pour(socket, Number(query.get('flood')));
    }
}

function tunnel(socket) {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
    socket.on('data', (data) => {
        for (const [line] of data.toString('latin1').matchAll(/^(GET|PRI) .*$/gm)) {
            socket.write(`TUNNEL ${line.trim()}\n`);
        }
    });
}

function isByTheBook(request) {
    return request.httpVersion === '1.1' && headersOf(request).connection === 'Upgrade';
}

function upgrade(request, socket, head) {
    const query = new URL(request.url, 'http://backend').searchParams;

    if (/h2c/i.test(request.headers.upgrade)) {
        tunnel(socket);
    } else if (query.has('strict') && !isByTheBook(request)) {
        socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    } else {
        sockets.handleUpgrade(request, socket, head, (opened) => serve(opened, request, query));
    }
}

const tls = values.cert && {
    cert: fs.readFileSync(values.cert), key: fs.readFileSync(values.key),
};
const server = tls ? https.createServer(tls, answer) : http.createServer(answer);
server.keepAliveTimeout = 0;
server.on('upgrade', upgrade);

// PROXY TCP4 CLIENT SERVER PORT PORT, then the client's own bytes.
function proxied(socket) {
    let seen = Buffer.alloc(0);
    const read = () => {
        const data = socket.read();

        if (!data) {
            return;
        }
        seen = Buffer.concat([seen, data]);
        const end = seen.indexOf('\r\n');
        if (end < 0) {
            return;
        }
        socket.removeListener('readable', read);
        const [name, , client] = seen.subarray(0, end).toString('latin1').split(' ');
        if (name !== 'PROXY') {
            socket.destroy();
            return;
        }
        socket.unshift(seen.subarray(end + 2));
        server.once('secureConnection', (secure) => { secure.clientAddress = client; });
        server.emit('connection', socket);
    };
    socket.on('error', () => {});
    socket.on('readable', read);
}

const listener = values['proxy-protocol'] ? net.createServer(proxied) : server;
listener.listen(Number(port), '127.0.0.1', () => console.log('ready'));
