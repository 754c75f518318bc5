// Handshakes made by hand, as no client library sends them. Arguments: host:port
// of the site, the path, and one of
//
//   http/1.1 VALUE...  a request with an Upgrade header for each VALUE
//   http/1.0 VALUE...  the same in the older protocol
//   h2 VALUE           the same over HTTP/2 and TLS, where it must not be
//   refused            a handshake with an unknown version, and right behind it a
//                      request for /other
//
// Prints one line: "101 VALUE" and what else came through the tunnel if the
// protocol was switched; the status, and what the backend was sent as Upgrade and
// Connection, if it was not.
import net from 'node:net';
import tls from 'node:tls';

const [site, path, how, ...upgrades] = process.argv.slice(2);
const [host, port] = site.split(':');
const DEADLINE_MS = 30000;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const FRAME = { HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, GOAWAY: 7 };
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const SETTINGS = 'AAMAAABkAARAAAAAAAIAAAAA';

setTimeout(() => {
    console.log('FAULT: timed out');
    process.exit(1);
}, DEADLINE_MS).unref();

function finish(line) {
    console.log(line);
    process.exit(0);
}

function request(version, key = '13') {
    return [`GET ${path} ${version}`, `Host: ${site}`, 'Connection: Upgrade, HTTP2-Settings',
        ...upgrades.map((value) => `Upgrade: ${value}`), `HTTP2-Settings: ${SETTINGS}`,
        `Sec-WebSocket-Key: ${KEY}`, `Sec-WebSocket-Version: ${key}`, '', ''].join('\r\n');
}

// What the backend tells of a request, see websocket-backend.mjs.
function told(text) {
    const { headers } = JSON.parse(text);

    return `upgrade=${headers.upgrade ?? 'none'} connection=${headers.connection ?? 'none'}`;
}

// Calls judge with all that came so far, as text, whenever more comes.
function talk(socket, judge) {
    let seen = '';

    socket.on('data', (data) => {
        seen += data.toString('latin1');
        judge(seen);
    });
    socket.on('error', (error) => finish(`error ${error.code}`));
    socket.on('close', () => finish(`closed after ${JSON.stringify(seen.slice(0, 200))}`));
}

function http1(version) {
    const socket = net.connect(port, host, () => socket.write(request(version)));
    let switched = false;

    talk(socket, (seen) => {
        const [, status] = seen.match(/^HTTP\/1\.1 (\d{3})/) ?? [];
        const json = seen.match(/\{.*\}/);
        const tunnelled = seen.match(/^TUNNEL .*$/m);

        if (status === '101' && !switched) {
            switched = true;
            const [, value] = seen.match(/^upgrade: (.*)\r$/mi) ?? [];
            if (value !== 'h2c') {
                finish(`101 ${value}`);
            }
            socket.write(`GET /secret HTTP/1.1\r\nHost: ${site}\r\n\r\n`);
        } else if (tunnelled) {
            finish(`101 h2c ${tunnelled[0]}`);
        } else if (json) {
            finish(`${status} ${told(json[0])}`);
        }
    });
}

function refused() {
    const socket = net.connect(port, host, () => socket.write(
        `${request('HTTP/1.1', '777')}GET /other HTTP/1.1\r\nHost: ${site}\r\n\r\n`));

    talk(socket, (seen) => {
        // A body need not end with its line.
        const statuses = [...seen.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status);

        if (seen.endsWith('other\n')) {
            finish(statuses.join(' '));
        }
    });
}

function frame(type, flags, stream, payload = Buffer.alloc(0)) {
    const head = Buffer.alloc(9);

    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
}

// Each field literal, never indexed by what came before.
function fields(pairs) {
    return Buffer.concat(pairs.map(([name, value]) => Buffer.concat([
        Buffer.from([0, name.length]), Buffer.from(name),
        Buffer.from([value.length]), Buffer.from(value)])));
}

// Frames up to the first that ends it: the answer is one DATA frame of JSON, or
// the stream or the connection is given up.
function http2() {
    const pairs = [[':method', 'GET'], [':scheme', 'https'], [':path', path], [':authority', site],
        ['upgrade', upgrades[0]], ['sec-websocket-key', KEY], ['sec-websocket-version', '13']];
    const socket = tls.connect({ host, port, ALPNProtocols: ['h2'], rejectUnauthorized: false },
        () => {
            socket.write(PREFACE);
            socket.write(frame(FRAME.SETTINGS, 0, 0));
            socket.write(frame(FRAME.HEADERS, 5, 1, fields(pairs)));
        });

    talk(socket, (seen) => {
        const bytes = Buffer.from(seen, 'latin1');
        let status = '';

        for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
            const type = bytes.readUInt8(at + 3);
            const payload = bytes.subarray(at + 9, at + 9 + bytes.readUIntBE(at, 3));

            if (at + 9 + bytes.readUIntBE(at, 3) > bytes.length) {
                return;
            }
            if (type === FRAME.HEADERS) {
                // 0x88 is ":status 200"; any other status is spelled out.
                const [, text] = payload.toString('latin1').match(/(\d{3})/) ?? [];
                status = payload[0] === 0x88 ? '200' : text ?? 'other';
                if (status === '101') {
                    finish('101');
                }
            } else if (type === FRAME.RST_STREAM || type === FRAME.GOAWAY) {
                finish(`given up, code ${payload.readUInt32BE(payload.length === 4 ? 0 : 4)}`);
            } else if (payload.includes('{')) {
                finish(`${status} ${told(payload.toString())}`);
            }
        }
    });
}

const ways = {
    'http/1.1': () => http1('HTTP/1.1'),
    'http/1.0': () => http1('HTTP/1.0'),
    h2: http2,
    refused,
};
ways[how]();
