// Hostile text in probes, over sockets of our own that send bytes as they are:
// what comes back is parsed by JSON.parse() and V8, here, and by Chromium's
// parsers of XML and HTML; exits 1 and tells why if anything was wrong.
//
//   injection.mjs outputs  url=URL driver=URL folder=FOLDER
//   injection.mjs headers  url=URL
//   injection.mjs unknown  url=URL known=ID,ID
//   injection.mjs log      url=URL events=UDP-PORT scgi=ADDRESS file=LOG
//
// The locations are those of 67-injection.bats.
import dgram from 'node:dgram';
import fs from 'node:fs';
import vm from 'node:vm';

import { Peer, expect, main, poll } from './peer.mjs';
import { ask as askScgi, request as scgiRequest } from './scgi.mjs';
import { Browser } from './webdriver.mjs';

const OUTPUTS = ['', 'jsonp', 'java', 'xml', 'lighttpd', 'apache', 'detail'];
const NONCHARACTERS = /[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g; // to XML

// All printable ASCII, so valid.
export const IDS = [
    'plain', '"', '\'', '`', '\\', '<', '>', '&', '&lt;', '&#60;', '$', '${ran=1}', '%00', '%22',
    '</script><script>ran=1</script>', '<!--', '-->', ']]>', '<![CDATA[x]]>', '*/ran=1;/*',
    '"><img src=x onerror=ran=1>', '\'-ran=1-\'', '\\"-ran=1-\\"', '\\u2028', '\\x00', '{{1}}',
    '"}, "other": { "state" : "done', '__proto__', 'constructor', '$uploadprogress_id', ' x ',
    '"'.repeat(255), '<'.repeat(255), '%n%s%1000000d', '&entity;', '?>', '<?php ran=1 ?>',
];
// Not valid: bytes that are sent as they are, or percent-encoded.
const BAD_IDS = ['-', '', '\r\n', '\n', '\t', '\x00', '\x7f', '\x1b[2J', 'a\x00b', '\u2028',
    '\u2029', '\u00e9', '\ud83d\ude00', 'x'.repeat(256), '<'.repeat(10240),
    Buffer.from([0xff]), Buffer.from([0xc0, 0xbc]), Buffer.from('a\xff<script>', 'latin1')];
// Values of arguments and headers, which may be anything.
const VALUES = [...IDS, '\r\nX-Injected: 1\r\n\r\n<script>ran=1</script>', '\n', '\r', '\t', '\x01',
    '\x1b[2J', '\x7f', '\u2028', '\u2029', 'a\u2028ran=1', '\u00e9', '\ud83d\ude00', '\ufffe', '\uffff',
    '\ufeff', '\u0085', '"<a>'.repeat(2560), '\u2029'.repeat(3000)];
const BAD_CALLBACKS = ['f(', 'f;ran=1', 'f\r\nX-Injected: 1', 'f\n', 'f\x00', '<script>', '"', '\'',
    'f\u2028ran=1', 'f\u2029', '\u00e9', 'f/*', '`', 'f&#40;', 'f ', '\\u0066', 'f'.repeat(129),
    'f'.repeat(10240), Buffer.from([0xff]), Buffer.from([0x66, 0xc0, 0xa8])];
const GOOD_CALLBACKS = ['f', 'a.b.c', 'a[0]', '$', '_', 'f'.repeat(128)];

const encode = (text) => [...Buffer.from(text)]
    .map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');

// One request and all that comes back until the server closes.
export async function raw(url, lines) {
    const { host } = new URL(url);
    const peer = await Peer.open(host);

    peer.write(Buffer.concat([...lines, 'Connection: close', '', ''].flatMap((line, i) =>
        (i === 0 ? [Buffer.from(line)] : [Buffer.from('\r\n'), Buffer.from(line)]))));
    await peer.untilClosed();
    peer.close();
    return peer.received;
}

// Status, header lines and body; a chunked body put together.
export function parse(bytes) {
    const end = bytes.indexOf('\r\n\r\n');
    const [status, ...headers] = bytes.subarray(0, end).toString('latin1').split('\r\n');
    let body = bytes.subarray(end + 4);

    if (headers.includes('Transfer-Encoding: chunked')) {
        const chunks = [];

        for (let size = -1; size !== 0;) {
            const line = body.indexOf('\r\n');

            size = parseInt(body.subarray(0, line), 16);
            chunks.push(body.subarray(line + 2, line + 2 + size));
            body = body.subarray(line + 4 + size);
        }
        expect('bytes behind the last chunk', body.length, 0);
        body = Buffer.concat(chunks);
    }
    return { status: Number(status.split(' ')[1]), headers, body };
}

export async function get(url, path, { method = 'GET', headers = [] } = {}) {
    return parse(await raw(url, [`${method} ${path} HTTP/1.1`, 'Host: site', ...headers]));
}

// The text of a body, which has to be UTF-8.
const text = (body) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);

// Where each output is, and the ID by query or header, whichever can hold it.
function probe(url, output, id, further = '') {
    return get(url, `/progress${output && `/${output}`}?X-Progress-ID=${encode(id)}${further}`);
}

// ---- outputs

// What V8 makes of a script: the arguments of the call it consists of.
function call(script, name) {
    const calls = [];
    const context = { [name]: (...args) => calls.push(args) };

    new vm.Script(script).runInNewContext(context);
    expect('calls', calls.length, 1);
    expect('globals', Object.keys(context).join(), name);
    return calls[0][0];
}

// In Chromium: what its parsers have of a text or an attribute.
function parseMarkup(markup, type) {
    const document_ = new DOMParser().parseFromString(markup, type);

    return {
        error: document_.querySelector('parsererror')?.textContent ?? null,
        elements: document_.querySelectorAll('*').length,
        values: Object.fromEntries([...document_.querySelectorAll('v')].map((v) => [
            v.getAttribute('n'), [v.textContent, v.getAttribute('double'), v.getAttribute('single')]])),
        states: [...document_.querySelectorAll('upload state')].map((s) => s.textContent),
    };
}

const markup = (browser, body, type) =>
    browser.run(`return (${parseMarkup})(...arguments)`, text(body), type);

// The ready-made outputs hold the ID as what it is, or not at all.
async function judgeOutputs(url, browser, id) {
    const answers = {};

    for (const output of OUTPUTS) {
        const { status, body } = await probe(url, output, id, '&callback=f');

        expect(`status of ${output} for ${id}`, status, 200);
        answers[output] = text(body);
    }
    expect('json', JSON.stringify(JSON.parse(answers[''])), '{"state":"starting"}');
    expect('jsonp', call(answers.jsonp, 'f').state, 'starting');
    expect('java', new vm.Script(answers.java).runInNewContext({}).state, 'starting');
    expect('lighttpd', answers.lighttpd, 'not in progress');
    expect('apache', JSON.parse(answers.apache).uuid, id);
    expect('apache', new vm.Script(`(${answers.apache})`).runInNewContext({}).uuid, id);
    expect('detail', JSON.parse(answers.detail).id, id);
    const { error, states, elements } =
        await browser.run(`return (${parseMarkup})(...arguments)`, answers.xml, 'text/xml');
    expect('xml', JSON.stringify([error, states, elements]), '[null,["starting"],2]');
}

// Many IDs in one answer: each is the name of its own.
async function judgeMany(url) {
    for (const output of ['', 'detail']) {
        for (const separator of [',', '&X-Progress-ID=']) {
            const { status, body } = await get(url, `/progress${output && `/${output}`}?X-Progress-ID=${
                IDS.map(encode).join(separator)}`);
            const object = JSON.parse(text(body));

            expect('status of many', status, 200);
            expect('names of many', JSON.stringify(Object.keys(object).sort()),
                JSON.stringify([...IDS].sort()));
            for (const id of IDS) {
                const { state, id: detailed = id } =
                    Object.getOwnPropertyDescriptor(object, id).value;

                expect(`state and ID of ${id}`, `${state} ${detailed}`, `starting ${id}`);
            }
        }
    }
}

// One value in every variable, in every content type.
async function judgeTemplates(url, browser, value) {
    const isId = IDS.includes(value);
    const id = isId ? value : 'plain';
    // A header ends with its line, and nginx takes blanks from around it. One
    // long value is enough: an answer has to fit into a socket's buffer.
    const header = /[\r\n]|^[ \t]|[ \t]$/.test(value) || value.length > 2000 ? 'plain' : value;
    const query = `X-Progress-ID=${encode(id)}&v=${encode(value)}`;
    const wanted = { id, arg: value, header };
    const withArgs = { ...wanted, args: query };
    const fetchType = async (type) => {
        const { status, body } = await get(url, `/progress/t-${type}?${query}`,
            { headers: [Buffer.from(`X-V: ${header}`)] });

        expect(`status of ${type}`, status, 200);
        return body;
    };
    const asJson = JSON.stringify(wanted);

    expect('application/json', JSON.stringify(JSON.parse(text(await fetchType('json')))),
        JSON.stringify(withArgs));
    for (const quotes of call(text(await fetchType('js')), 'result')) {
        expect('text/javascript', JSON.stringify({ ...quotes }), asJson);
    }
    for (const [type, parser] of [['xml', 'text/xml'], ['html', 'text/html']]) {
        const { error, values, elements } = await markup(browser, await fetchType(type), parser);

        expect(`${type} is well-formed`, error, null);
        // html, head, meta, body and three v; in XML all in one r.
        expect(`elements of ${type}`, elements, type === 'xml' ? 4 : 7);
        for (const [name, text_] of Object.entries(wanted)) {
            const clean = text_.replaceAll(NONCHARACTERS, (c) =>
                (c >= '\ufffe' || c < ' ' ? '\ufffd' : c));

            expect(`${name} in ${type}`, JSON.stringify(values[name]),
                JSON.stringify([clean, clean, clean]));
        }
    }
    expect('text/plain', (await fetchType('plain')).toString(), Object.values(withArgs).join('|'));
}

// What is not UTF-8 becomes U+FFFD and takes nothing around it along.
async function judgeBadBytes(url, browser) {
    const bytes = [[0xff], [0xc3], [0xc0, 0xbc], [0xe2, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80],
        [0xf0, 0x9f, 0x98], [0x80]];

    for (const bad of bytes) {
        const query = `X-Progress-ID=a&v=${encode(Buffer.from([0x22, ...bad, 0x22]))}`;
        const headers = [Buffer.from([...Buffer.from('X-V: "'), ...bad, 0x22])];
        const clean = /^"\ufffd+"$/;
        const of = (type) => get(url, `/progress/t-${type}?${query}`, { headers })
            .then(({ body }) => body);
        const json = JSON.parse(text(await of('json')));
        const [js] = call(text(await of('js')), 'result');

        for (const [what, value] of Object.entries({ 'arg in JSON': json.arg, 'arg in a script': js.arg,
            'header in JSON': json.header, 'header in a script': js.header })) {
            expect(`${what} is clean: ${value}`, clean.test(value), true);
        }
        for (const [type, parser] of [['xml', 'text/xml'], ['html', 'text/html']]) {
            const { error, values } = await markup(browser, await of(type), parser);

            expect(`${type} is well-formed`, error, null);
            expect(`${values.arg} is clean`, [...values.arg, ...values.header].every((v) =>
                clean.test(v)), true);
        }
    }
    // A long header, of what is longest when it is escaped.
    const long = '<'.repeat(10240);
    const { header } = JSON.parse(text((await get(url, '/progress/t-json?X-Progress-ID=a',
        { headers: [`X-V: ${long}`] })).body));
    expect('a long header', header, long);
    // A NUL ends no value early: there is none.
    const { arg } = JSON.parse(text((await get(url, '/progress/t-json?X-Progress-ID=a&v=b%00c')).body));
    expect('an argument with a NUL', arg, '');
}

// An answer that refuses says why, in words of its own.
async function judgeRefused(url, output) {
    const path = `/progress${output && `/${output}`}`;
    const refusals = [
        ...BAD_IDS.map((id) => [`X-Progress-ID=${encode(id)}`, 400, 'invalid progress ID\n']),
        ...BAD_IDS.filter((id) => id.length > 0).map((id) =>
            [`X-Progress-ID=${encode(id)}&callback=f`, 400, 'invalid progress ID\n']),
        ...BAD_CALLBACKS.map((f) => [`X-Progress-ID=a&callback=${encode(f)}`, 400,
            'invalid callback\n']),
        ['other=%3Cscript%3E', 404, 'no progress ID\n'], ['', 404, 'no progress ID\n'],
    ];

    for (const [query, status, words] of refusals) {
        const answer = await get(url, `${path}?${query}`);

        expect(`${path}?${query.slice(0, 100)}`, `${answer.status} ${answer.body}`,
            `${status} ${words}`);
    }
}

async function outputs({ url, driver, folder }) {
    const browser = await Browser.open(driver, `${folder}/profile`);

    try {
        await browser.go(`${url}/other`); // chrome's own first page has no parser
        for (const id of IDS) {
            await judgeOutputs(url, browser, id);
        }
        await judgeMany(url);
        for (const value of VALUES) {
            await judgeTemplates(url, browser, value);
        }
        await judgeBadBytes(url, browser);
        for (const output of OUTPUTS) {
            await judgeRefused(url, output);
        }
        for (const callback of GOOD_CALLBACKS) {
            const body = text((await probe(url, 'jsonp', 'a', `&callback=${encode(callback)}`)).body);

            expect('jsonp', body, `${callback}({ "state" : "starting" });\r\n`);
        }
    } finally {
        await browser.close();
    }
    console.log(`${IDS.length} IDs, ${VALUES.length} values`);
}

// ---- headers

const ALWAYS = {
    'Server': /^nginx/, 'Date': /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/,
    'Connection': /^close$/,
};
const TYPES = /^(application\/json|application\/javascript|text\/javascript|text\/xml|text\/plain|text\/html)$/;
const REFUSED = { ...ALWAYS, 'Content-Type': /^text\/plain$/, 'X-Content-Type-Options': /^nosniff$/ };
const ANSWERED = {
    ...ALWAYS, 'Content-Type': TYPES, 'Expires': /^Thu, 01 Jan 1970 00:00:01 GMT$/,
    'Cache-Control': /^no-cache$/, 'X-Content-Type-Options': /^nosniff$/,
    'ETag': /^(W\/)?"[0-9a-f]{16}"$/,
};
const EXPECTED = { 200: ANSWERED, 304: ANSWERED, 400: REFUSED, 404: REFUSED,
    405: { ...REFUSED, 'Allow': /^GET, HEAD$/ } };

// Exactly these headers, each once and with a value of ours.
function judgeHeaders(what, { status, headers }) {
    const expected = EXPECTED[status];
    const names = [];

    expect(`${what}: a status we know: ${status}`, expected !== undefined, true);
    for (const line of headers) {
        const [, name, value] = /^([A-Za-z-]+): (.*)$/.exec(line) ?? [];

        if (/^(Content-Length: \d+|Transfer-Encoding: chunked)$/.test(line)) {
            continue;
        }
        expect(`${what}: "${line}" is expected`, expected[name]?.test(value) ?? false, true);
        names.push(name);
    }
    expect(`${what}: headers`, names.sort().join(), Object.keys(expected).sort().join());
}

async function headers({ url }) {
    const breaks = ['\r\nX-Injected: 1', '\nX-Injected: 1', '\r\n\r\n<script>', '\rX-Injected: 1',
        '\u560a\u560dX-Injected: 1', '\x00X-Injected: 1', '\x0bX', '; charset=utf-7', ', x'];
    const places = ['', ...OUTPUTS.slice(1).map((o) => `/${o}`), '/t-html', '/t-json', '/t-js',
        '/t-xml', '/t-plain', '/origin', '/none'];
    let count = 0;

    for (const place of places) {
        for (const hostile of breaks) {
            const e = encode(hostile);
            const line = hostile.replaceAll(/[\r\n\x00]/g, ' ');
            const requests = [
                [`/progress${place}?X-Progress-ID=a${e}`], [`/progress${place}?X-Progress-ID=a&callback=f${e}`],
                [`/progress${place}?X-Progress-ID=a&v=${e}&callback=f&${e}=${e}`],
                [`/progress${place || '/x'}${e.replace(/%00/g, '%01')}?X-Progress-ID=a`],
                [`/progress${place}?${e}`],
                [`/progress${place}?X-Progress-ID=a`, { headers: [Buffer.from(`Origin: https://a.example${line}`)] }],
                [`/progress${place}?X-Progress-ID=a`, { headers: [Buffer.from(`Origin: https://a.example${e}`)] }],
                [`/progress${place}?X-Progress-ID=a`, { headers: [Buffer.from(`If-None-Match: "${line}"`)] }],
                [`/progress${place}`, { headers: [Buffer.from(`X-Progress-ID: a${line}`)] }],
                [`/progress${place}?X-Progress-ID=a`, { headers: [Buffer.from(`X-V: ${line}`)] }],
                [`/progress${place}?X-Progress-ID=a`, { headers: [Buffer.from(`Content-Type: x${line}`),
                    'Status: 500', 'Location: //evil', 'X-Accel-Redirect: /other'] }],
                [`/progress${place}?X-Progress-ID=a`, { method: 'POST', headers: ['Content-Length: 0'] }],
            ];

            for (const [path, options] of requests) {
                judgeHeaders(path + JSON.stringify(options), await get(url, path, options));
                count++;
            }
        }
    }
    // The harness sees one that is too much.
    const { headers: more } = await get(url, '/injected');
    expect('the control', more.includes('X-Injected: 1'), true);
    // 304, and an origin that is allowed, add what they have to.
    const { headers: first } = await get(url, '/progress?X-Progress-ID=a');
    const etag = first.find((h) => h.startsWith('ETag: ')).slice('ETag: '.length);
    const same = await get(url, '/progress?X-Progress-ID=a', { headers: [`If-None-Match: ${etag}`] });
    expect('304', same.status, 304);
    judgeHeaders('304', same);
    const allowed = await get(url, '/progress/origin?X-Progress-ID=a', { headers: ['Origin: https://a.example'] });
    expect('the allowed origin', allowed.headers.filter((h) => /^(Access|Vary)/.test(h)).join(),
        'Access-Control-Allow-Origin: https://a.example,Vary: Origin');
    console.log(`${count} answers`);
}

// ---- unknown

const HOLDING_ID = ['apache', 'detail', 't-json'];

// The answer with the ID that was asked for, and what follows from it, taken
// out: all that may differ from one unknown ID to the next.
function anonymous({ status, headers: lines, body }, id, output) {
    const inJson = JSON.stringify(id).slice(1, -1);
    const escaped = inJson.replaceAll(/[<>&'`$]/g, (c) =>
        `\\u${c.charCodeAt().toString(16).padStart(4, '0')}`);
    const dropped = HOLDING_ID.includes(output) ? /^(Date|ETag|Content-Length): / : /^Date: /;
    let text_ = body.toString();

    if (HOLDING_ID.includes(output)) {
        // Each once: a zone may have the name that is asked for.
        for (const form of new Set([inJson, escaped, escaped.replaceAll(/\\u00(27|60|24)/g,
            (_, hex) => String.fromCharCode(parseInt(hex, 16))), `X-Progress-ID=${encode(id)}`])) {
            text_ = text_.replace(`"${form}"`, () => '"ID"');
        }
    }
    return JSON.stringify({ status, headers: lines.filter((line) => !dropped.test(line)).sort(),
        tagged: lines.some((line) => line.startsWith('ETag: ')), body: text_ });
}

// What might match another's ID, if IDs were patterns, prefixes or SQL.
function guesses(id) {
    return [`${id}0`, `${id} `, ` ${id}`, `${id}%`, `${id}_`, `${id}*`, `${id}'`, `${id}"`, `${id};`,
        `${id}\\`, `${id}/`, `${id}#`, `${id}?`, id.slice(0, -1), id.slice(1), id.toUpperCase(),
        `${id.slice(0, -1)}_`, `${id.slice(0, -1)}%`, `${id.slice(0, -1)}?`, `${id}' OR '1'='1`,
        `' OR id='${id}`, `' OR id LIKE '${id[0]}%' --`, `x' UNION SELECT * FROM uploads --`];
}
const PATTERNS = ['%', '_', '*', '?', '.*', '%%', '____', '\' OR 1=1 --', '" OR ""="', '1 OR 1=1', 'NULL',
    'uploads', '[a-z]*', '..', '/', '$id', '${id}', '\' OR zone=0 --', 'GLOB *', '-1', '0'];

// An unknown ID is answered alike, whatever it is and whoever else is known.
async function unknown({ url, known }) {
    const ids = known.split(',');
    const unknowns = [...PATTERNS, ...ids.flatMap(guesses)];
    const reference = 'nobody-knows-this';
    let count = 0;

    for (const output of [...OUTPUTS, 'strict', 'elsewhere', 't-json']) {
        const like = anonymous(await probe(url, output, reference), reference, output);

        for (const id of unknowns) {
            const answer = await probe(url, output, id);

            expect(`${output} of ${id}`, anonymous(answer, id, output), like);
            count++;
        }
        if (output === 'elsewhere') { // a zone that the known ones are not in
            for (const id of ids) {
                expect(`another zone's ${id}`, anonymous(await probe(url, output, id), id, output), like);
            }
        } else {
            // The harness sees a difference where there is one.
            for (const id of ids) {
                const answer = anonymous(await probe(url, output, id), id, output);

                expect(`${output} of ${id} differs`, answer !== like || output === 'lighttpd'
                    || output === 't-json', true);
            }
        }
    }
    await unlisted(url, ids);
    await tags(url, ids, unknowns);
    console.log(`${count} guesses`);
}

// Nothing that can be asked for without an ID holds one.
async function unlisted(url, ids) {
    const paths = ['/progress', '/progress/', '/progress/*', '/progress/list', '/progress/all',
        '/progress?', '/progress?X-Progress-ID', '/progress?X-Progress-ID=', '/progress?X-Progress-ID[]=',
        '/progress?X-Progress-ID=,', '/progress?X-Progress-ID=%00', '/progress?X-Progress-ID=*',
        '/progress/detail', '/progress/detail?X-Progress-ID=*', '/progress/detail?X-Progress-ID=%25',
        '/progress/../', '/status', '/progress/status', '/progress/detail?zone=uploads'];

    for (const path of paths) {
        for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'PROPFIND', 'SEARCH']) {
            const answer = (await get(url, path, { method })).body.toString();

            for (const id of ids) {
                expect(`${method} ${path} holds ${id}: ${answer}`, answer.includes(id), false);
            }
        }
    }
}

// A tag says what the body says, and nothing of other uploads.
async function tags(url, ids, unknowns) {
    const etag = ({ headers: lines }) => lines.find((line) => line.startsWith('ETag: '))?.slice(6);
    const plain = etag(await probe(url, '', 'nobody-knows-this'));

    for (const id of unknowns) {
        expect(`ETag of ${id}`, etag(await probe(url, '', id)), plain);
    }
    for (const id of ids) {
        const theirs = etag(await probe(url, '', id));

        for (const [asked, sent] of [['nobody-knows-this', theirs], [id, plain],
            ['nobody-knows-this', '*'], [id, '*'], ['nobody-knows-this', '"'], [id, 'W/""']]) {
            const { status } = await get(url, `/progress?X-Progress-ID=${asked}`,
                { headers: [`If-None-Match: ${sent}`] });

            expect(`${asked} with ${sent}`, status, 200);
        }
    }
}

// ---- log

async function log({ url, events, scgi, file }) {
    const forged = '2026/01/01 00:00:00 [emerg] 1: forged';
    const breaks = ['\n', '\r', '\r\n', '\x1b[2J', '\x0b', '\x85', '\u2028'];
    const socket = dgram.createSocket('udp4');
    const head = '<190>Jan  5 12:34:56 upload_progress: ';
    const attempt = 'ab'.repeat(16);
    const lines = () => fs.readFileSync(file, 'latin1').split('\n').slice(0, -1);
    const before = lines().length;

    for (const b of breaks) {
        const escaped = b.replaceAll(/[^ -~]/gu, (c) => [...Buffer.from(c)].map((byte) =>
            `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''));
        const sends = [
            `${head}zone="z${b}${forged}" id="a" request_id="${attempt}" status="200"`,
            `${head}zone="z${escaped}${forged}" id="a" request_id="${attempt}" status="200"`,
            `${head}id="a${escaped}${forged}" request_id="${attempt}" status="200"`,
            `<190>Jan  5 12:34:56 x: 2026/01/05 12:34:56 [warn] 1#1: *7 a client request body is buffered to a `
                + `temporary file /tmp/${b}${forged}, client: a, server: , request: "POST / HTTP/1.1"`,
            `${b}${forged}`,
        ];

        for (const send of sends) {
            await new Promise((done) => { socket.send(send, Number(events), '127.0.0.1', done); });
        }
        await askScgi(scgi, scgiRequest({ UPLOAD_PROGRESS_EVENT: 'start', UPLOAD_PROGRESS_ID: 'a',
            UPLOAD_PROGRESS_REQUEST_ID: attempt, UPLOAD_PROGRESS_ZONE: `z${b}${forged}` }));
        for (const hostile of [`${b}${forged}`, `a${b}${forged}`]) {
            await get(url, `/progress?X-Progress-ID=${encode(hostile)}&callback=${encode(hostile)}`);
            await get(url, `/progress/${encode(hostile)}?X-Progress-ID=a`);
        }
    }
    socket.close();
    // Each way that gets as far as the log has left its line there.
    await poll('the lines', () => lines().filter((line) => line.includes('unknown zone "z')
        && line.includes('forged')).length >= 3 * breaks.length
        && lines().some((line) => line.includes('spool: /tmp/\\x0A') && line.includes('forged')));
    for (const line of lines()) {
        expect(`the line ${JSON.stringify(line)} is whole`,
            /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[[a-z]+\] \d+: [ -~]*$/.test(line), true);
        expect(`the line ${line} is not forged`, line.startsWith(forged), false);
    }
    console.log(`${lines().length - before} lines`);
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
    await main({ outputs, headers, unknown, log });
}
