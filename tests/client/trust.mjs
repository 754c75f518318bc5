// Events that are not nginx's: told by clients, by forged log lines, by peers of
// the daemon's sockets; for 68-trust.bats. Exits 1 and tells why if any of them
// was believed that should not be, or the other way round.
//
//   trust.mjs internal  url=URL
//   trust.mjs headers   url=URL
//   trust.mjs keys      url=URL events=UDP fastcgi=ADDRESS scgi=ADDRESS key=KEY
//   trust.mjs spool     url=URL events=UDP pid=WORKER connection=N path=FILE
//                       id=ID believed=0|1
//   trust.mjs datagram  events=UDP|unix:PATH [from=ADDRESS] id=ID
//   trust.mjs connect   address=unix:PATH
import dgram from 'node:dgram';

import { FastcgiClient, eventParams, request as fastcgiRequest } from './fastcgi.mjs';
import { get } from './injection.mjs';
import { Peer, expect, main, pause, poll } from './peer.mjs';
import { ask as askScgi, request as scgiRequest } from './scgi.mjs';

const requestIdOf = (number) => number.toString(16).padStart(32, 'c');

async function stateOf(url, id) {
    const { status, body } = await get(url, `/progress?X-Progress-ID=${encodeURIComponent(id)}`);

    expect(`status of the probe of ${id}`, status, 200);
    return JSON.parse(body).state;
}

// ---- what clients may try

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'MKCOL', 'LOCK',
    'SEARCH', 'start'];
const TARGETS = ['start', 'body'].flatMap((name) => [
    `/upload-progress/${name}`, `/upload-progress/${name}?X-Progress-ID=spoofed`,
    `/upload-progress/%${name.charCodeAt().toString(16)}${name.slice(1)}?X-Progress-ID=spoofed`,
    `/%75pload-progress/${name}?X-Progress-ID=spoofed`, `/upload-progress%2f${name}?X-Progress-ID=spoofed`,
    `//upload-progress//${name}?X-Progress-ID=spoofed`, `/./upload-progress/./${name}?X-Progress-ID=spoofed`,
    `/upload/../upload-progress/${name}?X-Progress-ID=spoofed`,
    `/upload/%2e%2e/upload-progress/${name}?X-Progress-ID=spoofed`,
    `/progress/../upload-progress/${name}?X-Progress-ID=spoofed`,
    `http://site/upload-progress/${name}?X-Progress-ID=spoofed`,
    `/upload-progress/${name}#x`, `/upload-progress/${name}%00?X-Progress-ID=spoofed`,
]);

// The locations that events go to are not there for clients.
async function internal({ url }) {
    let count = 0;

    for (const method of METHODS) {
        for (const target of TARGETS) {
            const { status } = await get(url, target, { method, headers: ['Content-Length: 0',
                'X-Progress-ID: spoofed', 'UPLOAD_PROGRESS_EVENT: start', 'X-Accel-Redirect: /upload-progress/start',
                'X-Original-URL: /upload-progress/start', 'X-Rewrite-URL: /upload-progress/start'] });

            // 400: a method or a URI (%00) that nginx itself does not take.
            expect(`${method} ${target}`, method === 'start' || target.includes('%00')
                ? status === 400 : status === 404, true);
            count++;
        }
    }
    // Nor does a header of the client's lead there from elsewhere.
    for (const path of ['/other', '/upload', '/progress']) {
        await get(url, path, { method: path === '/upload' ? 'POST' : 'GET', headers: ['Content-Length: 0',
            'X-Accel-Redirect: /upload-progress/start?X-Progress-ID=spoofed', 'Status: 200'] });
    }
    expect('spoofed', await stateOf(url, 'spoofed'), 'starting');
    console.log(`${count} requests`);
}

// A probe's headers and arguments are no parameters of an event.
async function headers({ url }) {
    const names = ['UPLOAD_PROGRESS_EVENT', 'Upload-Progress-Event', 'X-Upload-Progress-Event',
        'HTTP_UPLOAD_PROGRESS_EVENT', 'upload_progress_event'];
    const further = Object.entries(eventParams('start', 'spoofed', requestIdOf(1)))
        .concat([['UPLOAD_PROGRESS_UNKNOWN', '404'], ['REQUEST_METHOD', 'POST'], ['QUERY_STRING', 'x'],
            ['DOCUMENT_URI', '/nowhere'], ['SCRIPT_NAME', '/nowhere'], ['CONTENT_LENGTH', '0']])
        .map(([name, value]) => `${name}: ${value}`);
    const query = new URLSearchParams(eventParams('start', 'spoofed', requestIdOf(2)));
    const paths = ['/progress', '/progress/detail', '/passing'];

    for (const path of paths) {
        const plain = await get(url, `${path}?X-Progress-ID=spoofed`);

        expect(`${path} is answered`, plain.status, 200);
        for (const event of ['start', 'body', 'end']) {
            for (const name of names) {
                for (const [where, request] of [
                    [`${path}?X-Progress-ID=spoofed`, { headers: [`${name}: ${event}`, ...further,
                        ...further.map((line) => line.replaceAll('_', '-'))] }],
                    [`${path}?X-Progress-ID=spoofed&${name}=${event}&${query}`, {}],
                    [`${path}?${query}&X-Progress-ID=spoofed&${name}=${event}`, {}],
                ]) {
                    const answer = await get(url, where, request);

                    expect(`${where} with ${name}`, `${answer.status} ${answer.body}`,
                        `${plain.status} ${plain.body}`);
                }
            }
        }
    }
    expect('spoofed', await stateOf(url, 'spoofed'), 'starting');
}

// ---- log lines

const line = (tag, fields) => `<190>Jan  5 12:34:56 ${tag}: ${Object.entries(fields)
    .map(([name, value]) => `${name}="${value}"`).join(' ')}`;

function endLine(id, { tag = 'upload_progress', ...further } = {}) {
    return line(tag, { ...further, zone: 'uploads', id, request_id: requestIdOf(3), status: 200,
        content_length: 10, request_length: 210, header_length: 200, protocol: 'HTTP/1.1' });
}

function spoolLine({ pid, connection, path, id, tag = 'upload_progress' }) {
    return `<188>Jan  5 12:34:56 ${tag}: 2026/01/05 12:34:56 [warn] ${pid}#${pid}: *${connection} `
        + `a client request body is buffered to a temporary file ${path}, client: 127.0.0.1, server: , `
        + `request: "POST /upload?X-Progress-ID=${id} HTTP/1.1", host: "a"`;
}

function sendUdp(text, port, from) {
    const socket = dgram.createSocket('udp4');

    return new Promise((resolve, reject) => {
        socket.on('error', reject);
        socket.bind(0, from, () => {
            socket.send(text, Number(port), '127.0.0.1', (error) => {
                socket.close();
                (error ? reject : resolve)(error);
            });
        });
    });
}

// Sends it until the state is there.
async function sendUntil(url, text, port, id, state) {
    await poll(`${state} of ${id}`, async () => {
        await sendUdp(text, port);
        await pause(20);
        return await stateOf(url, id) === state;
    });
}

// Who has the key is believed by each way, nobody else by any.
async function keys({ url, events, fastcgi, scgi, key }) {
    const wrongKeys = ['', '-', key.slice(1), key.slice(0, -1), `${key}0`, key.toLowerCase(), `${key} `,
        ` ${key}`, '0'.repeat(16), '*', '%', `${key}\\x00`];
    const refused = [];
    const ask = async (event, id, further, { body = '' } = {}) => {
        const client = await FastcgiClient.open(fastcgi);
        const params = eventParams(event, id, requestIdOf(4), { CONTENT_LENGTH: String(body.length), ...further });
        const { status } = await client.ask(fastcgiRequest(params, { body }));
        const other = await askScgi(scgi, Buffer.concat([scgiRequest(params, { contentLength: body.length }),
            Buffer.from(body)]));

        client.close();
        expect(`${event} by SCGI`, other.status, status);
        return status;
    };

    for (const wrong of wrongKeys) {
        const id = `wrong-${refused.length}`;

        refused.push(id);
        for (const event of ['start', 'body']) {
            expect(`${event} with "${wrong}"`,
                await ask(event, id, { UPLOAD_PROGRESS_KEY: wrong }, { body: 'x'.repeat(100) }), 403);
        }
        await sendUdp(endLine(id, { key: wrong }), events);
        await sendUdp(endLine(id, { key: wrong, tag: `upload_progress_${key}` }), events);
        // In other places: another field, and a value, as nginx escapes it.
        await sendUdp(endLine(id, { xkey: key }), events);
        await sendUdp(endLine(`${id}\\x22 key=\\x22${key}`), events);
    }
    expect('start without any', await ask('start', 'none', {}), 403);
    refused.push('none');
    // With it they are believed, and by then all before it have been parsed.
    await sendUntil(url, endLine('right-line', { key }), events, 'right-line', 'done');
    expect('start', await ask('start', 'right-start', { UPLOAD_PROGRESS_KEY: key }), 204);
    expect('right-start', await stateOf(url, 'right-start'), 'uploading');
    for (const id of refused) {
        expect(id, await stateOf(url, id), 'starting');
    }
    // A probe needs none, on the same listener.
    expect('probe', await (await FastcgiClient.open(fastcgi)).probe('right-line').then((p) => p.state), 'done');
}

// A line that names a file, and what the daemon then tells of the ID.
async function spool({ url, events, believed, key = '', tagged = '1', ...named }) {
    const tag = tagged === '1' && key ? `upload_progress_${key}` : 'upload_progress';
    const text = spoolLine({ ...named, tag });

    if (believed === '1') {
        await sendUntil(url, text, events, named.id, 'uploading');
        return;
    }
    for (let i = 0; i < 5; i++) {
        await sendUdp(text, events);
        await pause(20);
        expect(named.id, await stateOf(url, named.id), 'starting');
    }
    // Those were parsed before this one.
    await sendUntil(url, endLine(`${named.id}-after`, { key }), events, `${named.id}-after`, 'done');
    expect(named.id, await stateOf(url, named.id), 'starting');
    const detail = await get(url, `/progress/detail?X-Progress-ID=${encodeURIComponent(named.id)}`);
    expect('received', JSON.parse(detail.body).received, 0);
}

async function datagram({ events, from, id, key = '' }) {
    await sendUdp(endLine(id, { key }), events, from);
}

async function connect({ address }) {
    const peer = await Peer.open(address);

    peer.close();
}

await main({ internal, headers, keys, spool, datagram, connect });
