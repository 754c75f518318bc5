// Takes files in pieces, in all the ways that clients send them; pages and their
// scripts are served below /pages/ and /lib/. Arguments: port, folder.
//
//   PREFIX/tus, PREFIX/tus-relative   @tus/server, absolute or relative Location
//   PREFIX/range, /session, /draft, /filepond, /resumable, /flow, /plupload,
//   /dropzone, /fineuploader          see pieces-stores.mjs
//
// PREFIX is /upload or /upload-stream, as nginx has both, or /files of an example. What tests say and ask:
//
//   /control?fail=STATUS&piece=N   the Nth piece from now is read and answered so
//   /control?slow=MS               each piece is answered so much later
//   /control/files                 complete files: [{ key, size, sha256 }]
import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';

import { FileStore } from '@tus/file-store';
import { Server as TusServer } from '@tus/server';
import * as esbuild from 'esbuild';

import { STORES } from './pieces-stores.mjs';

const [port, folder] = process.argv.slice(2);
const PREFIXES = ['/upload', '/upload-stream', '/files'];
const PAGES = new URL('./pages/', import.meta.url).pathname;
const require = createRequire(import.meta.url);
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' };
const SCRIPTS = {
    'jquery.js': 'jquery/dist/jquery.js',
    'jquery.ui.widget.js': 'blueimp-file-upload/js/vendor/jquery.ui.widget.js',
    'jquery.fileupload.js': 'blueimp-file-upload/js/jquery.fileupload.js',
    'resumable.js': 'resumablejs/resumable.js',
    'flow.js': '@flowjs/flow.js/dist/flow.js',
    'filepond.js': 'filepond/dist/filepond.js',
    'plupload.js': 'plupload/js/plupload.full.min.js',
    'dropzone.js': 'dropzone/dist/dropzone.js',
    'fine-uploader.js': 'fine-uploader/fine-uploader/fine-uploader.core.js',
};
const control = { fail: 0, piece: 0, slow: 0 };

for (const name of ['tus', 'complete', 'parts']) {
    fs.mkdirSync(path.join(folder, name), { recursive: true });
}

const tusStore = new FileStore({ directory: path.join(folder, 'tus') });
const tusServers = new Map();
for (const prefix of PREFIXES) {
    for (const [name, relativeLocation] of [['/tus', false], ['/tus-relative', true]]) {
        tusServers.set(prefix + name, new TusServer({ path: prefix + name, datastore: tusStore,
            relativeLocation, respectForwardedHeaders: true,
            // Of another origin a page may send none but those that a server names.
            allowedHeaders: ['X-Progress-ID'],
            // One piece waits for the lock of the one that was cut short before it.
            lockDrainTimeout: 2000 }));
    }
}

// Uppy has no file of its own for <script>.
let uppy;
function bundleUppy() {
    uppy ??= esbuild.buildSync({
        stdin: { contents: "export { default as Uppy } from '@uppy/core'; export { default as Tus } from '@uppy/tus';",
            resolveDir: path.dirname(PAGES) },
        bundle: true, write: false, format: 'iife', globalName: 'UppyBundle', logLevel: 'error',
    }).outputFiles[0].text;
    return uppy;
}

function serveFile(res, pathname) {
    const name = pathname.split('/').at(-1);
    let text;

    if (pathname === '/lib/uppy.js') {
        text = bundleUppy();
    } else if (pathname.startsWith('/lib/') && SCRIPTS[name]) {
        const [, scope, rest] = /^((?:@[^/]+\/)?[^/]+)\/(.*)$/.exec(SCRIPTS[name]);

        // Not all packages let their files be resolved by name.
        text = fs.readFileSync(path.join(require.resolve.paths(scope).map((at) => path.join(at, scope))
            .find((at) => fs.existsSync(at)), rest));
    } else if (pathname.startsWith('/pages/') && fs.existsSync(PAGES + name)) {
        text = fs.readFileSync(PAGES + name);
    } else {
        res.writeHead(404).end();
        return;
    }
    res.writeHead(200, { 'Content-Type': TYPES[path.extname(name)] ?? 'application/octet-stream' }).end(text);
}

// @tus/server's own stores that need no other service cannot join files, so that is
// done here: a partial upload is created as any other.
function joinTus(req, res, base) {
    const parts = req.headers['upload-concat'].slice('final;'.length).trim().split(/\s+/)
        .map((url) => new URL(url, 'http://backend').pathname.split('/').at(-1));
    const id = randomUUID().replaceAll('-', '');
    const at = path.join(folder, 'tus', id);

    fs.writeFileSync(at, '');
    for (const part of parts) {
        fs.appendFileSync(at, fs.readFileSync(path.join(folder, 'tus', path.basename(part))));
    }
    fs.writeFileSync(`${at}.json`, JSON.stringify({ id, size: fs.statSync(at).size, offset: fs.statSync(at).size }));
    const origin = `${req.headers['x-forwarded-proto']}://${req.headers['x-forwarded-host']}`;

    res.writeHead(201, { 'Tus-Resumable': '1.0.0', 'Content-Length': 0,
        Location: `${base.endsWith('relative') ? '' : origin}${base}/${id}` }).end();
}

function hashOf(file) {
    return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}

function completeFiles() {
    const tus = fs.readdirSync(path.join(folder, 'tus')).filter((name) => name.endsWith('.json')).map((name) => {
        const { id, size } = JSON.parse(fs.readFileSync(path.join(folder, 'tus', name)));
        return { key: id, file: path.join(folder, 'tus', id), size };
    }).filter(({ file, size }) => fs.existsSync(file) && fs.statSync(file).size === size);
    const others = fs.readdirSync(path.join(folder, 'complete')).map((name) => ({
        key: decodeURIComponent(name), file: path.join(folder, 'complete', name) }));

    return [...tus, ...others].map(({ key, file }) => ({ key, size: fs.statSync(file).size, sha256: hashOf(file) }));
}

function serveControl(url, res) {
    if (url.pathname === '/control/files') {
        res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(completeFiles()));
        return;
    }
    for (const name of Object.keys(control)) {
        if (url.searchParams.has(name)) {
            control[name] = Number(url.searchParams.get(name));
        }
    }
    res.writeHead(200).end(JSON.stringify(control));
}

// A request that brings bytes of a file, whatever it says of them.
function isPiece(req) {
    const length = Number(req.headers['content-length'] ?? 0);

    return ['POST', 'PUT', 'PATCH'].includes(req.method) &&
        (length > 1024 || 'transfer-encoding' in req.headers);
}

// The Nth piece fails as a server does that has read it and cannot keep it.
function failsThis(req, res) {
    if (control.fail === 0 || --control.piece > 0) {
        return false;
    }
    const status = control.fail;

    control.fail = 0;
    req.resume();
    req.on('end', () => res.writeHead(status, { 'Content-Type': 'text/plain' }).end('cannot keep this\n'));
    return true;
}

async function serveUpload(req, res, url) {
    const prefix = PREFIXES.findLast((one) => url.pathname.startsWith(`${one}/`));
    const [name] = url.pathname.slice(prefix.length + 1).split('/');
    const tus = tusServers.get(`${prefix}/${name}`);

    if (isPiece(req)) {
        if (failsThis(req, res)) {
            return;
        }
        if (control.slow > 0) {
            await new Promise((done) => { setTimeout(done, control.slow); });
        }
    }
    if (tus) {
        // As it stands in a query, the ID would become a part of the upload's name.
        req.url = url.pathname;
        if (req.headers['upload-concat']?.startsWith('final;')) {
            joinTus(req, res, `${prefix}/${name}`);
            return;
        }
        delete req.headers['upload-concat'];
        tus.handle(req, res);
    } else if (STORES[name]) {
        await STORES[name]({ req, res, url, folder, base: `${prefix}/${name}` });
    } else {
        res.writeHead(404).end();
    }
}

http.createServer((req, res) => {
    const url = new URL(req.url, 'http://backend');

    if (url.pathname.startsWith('/control')) {
        serveControl(url, res);
    } else if (PREFIXES.some((prefix) => url.pathname.startsWith(`${prefix}/`))) {
        serveUpload(req, res, url).catch((error) => {
            // A client that goes away in mid-body is no fault of the server.
            if (!res.headersSent) {
                res.writeHead(req.complete ? 500 : 400);
            }
            res.end(String(error.message));
        });
    } else {
        serveFile(res, url.pathname);
    }
}).listen(port, '127.0.0.1', () => console.log('ready'));
