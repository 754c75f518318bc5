// The servers of pieces-backend.mjs besides tus: each takes a piece once it is whole,
// and puts it where it belongs. A file is complete when no byte is missing.
import fs from 'node:fs';
import path from 'node:path';
import { randomUUID } from 'node:crypto';

import busboy from 'busboy';

import { Ranges } from './pieces-ranges.mjs';

const files = new Map(); // by protocol and key

async function readAll(req) {
    const parts = [];

    for await (const part of req) {
        parts.push(part);
    }
    return Buffer.concat(parts);
}

// The fields and the file of a multipart body, or the body as it is.
function readForm(req) {
    if (!/^multipart\//.test(req.headers['content-type'] ?? '')) {
        return readAll(req).then((bytes) => ({ fields: {}, bytes }));
    }
    return new Promise((done, failed) => {
        const form = busboy({ headers: req.headers });
        const fields = {};
        const parts = [];

        form.on('field', (name, value) => { fields[name] = value; });
        form.on('file', (name, stream) => stream.on('data', (part) => parts.push(part)));
        form.on('close', () => done({ fields, bytes: Buffer.concat(parts) }));
        form.on('error', failed);
        req.on('aborted', () => failed(new Error('cut short')));
        req.pipe(form);
    });
}

function fileOf(folder, protocol, key) {
    const name = encodeURIComponent(`${protocol}:${key}`);

    if (!files.has(name)) {
        const at = path.join(folder, 'parts', name);

        fs.writeFileSync(at, '');
        files.set(name, { name, at, has: new Ranges(), total: null, folder });
    }
    return files.get(name);
}

// Whether this was the last piece that was missing.
function put(file, begin, bytes, total) {
    const fd = fs.openSync(file.at, 'r+');

    fs.writeSync(fd, bytes, 0, bytes.length, begin);
    fs.closeSync(fd);
    file.has.add(begin, begin + bytes.length);
    file.total = total ?? file.total;
    return finish(file);
}

function finish(file) {
    if (file.total === null || file.has.missing(file.total).length > 0) {
        return false;
    }
    fs.copyFileSync(file.at, path.join(file.folder, 'complete', file.name));
    return true;
}

function answer(res, status, headers = {}, text = '') {
    res.writeHead(status, { 'Content-Type': 'text/plain', ...headers }).end(text);
}

function contentRange(text) {
    const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(text ?? '');

    return match && { begin: Number(match[1]), end: Number(match[2]) + 1,
        total: match[3] === '*' ? null : Number(match[3]) };
}

// PUT or POST with Content-Range. GET tells how far it is, for a client to go on.
async function range({ req, res, url, folder }) {
    const disposition = /filename="([^"]*)"/.exec(req.headers['content-disposition'] ?? '')?.[1];
    const key = url.searchParams.get('file') ?? disposition ?? url.pathname;
    const file = fileOf(folder, 'range', key);

    if (req.method === 'GET') {
        const first = file.has.list[0];
        answer(res, 200, { 'Content-Type': 'application/json' },
            JSON.stringify({ size: first && first[0] === 0 ? first[1] : 0 }));
        return;
    }
    const { bytes } = await readForm(req);
    const told = contentRange(req.headers['content-range']);

    if (!told || told.end - told.begin !== bytes.length) {
        answer(res, 416);
        return;
    }
    const complete = put(file, told.begin, bytes, told.total);

    answer(res, complete ? 201 : 200, { 'Content-Type': 'application/json' }, JSON.stringify({ files: [{ name: key }] }));
}

// As the nginx upload module: 201 and the ranges so far, 200 once complete.
async function session({ req, res, folder }) {
    const key = req.headers['x-session-id'] ?? req.headers['session-id'];
    const told = contentRange(req.headers['x-content-range'] ?? req.headers['content-range']);
    const { bytes } = await readForm(req);

    if (!key || !told || told.end - told.begin !== bytes.length) {
        answer(res, 400);
        return;
    }
    const file = fileOf(folder, 'session', key);
    const complete = put(file, told.begin, bytes, told.total);
    const has = file.has.list.map(([begin, end]) => `${begin}-${end - 1}/${file.total ?? '*'}`).join(',');

    answer(res, complete ? 200 : 201, complete ? {} : { Range: has }, complete ? 'ok' : has);
}

const DRAFT_TYPE = 'application/partial-upload';

// The part of a body that came counts, as a server of this protocol may have it.
async function append(req, file, begin) {
    const parts = [];
    let whole = true;

    try {
        for await (const part of req) {
            parts.push(part);
        }
    } catch {
        whole = false;
    }
    put(file, begin, Buffer.concat(parts), null);
    return whole;
}

async function draft({ req, res, url, folder, base }) {
    const { headers } = req;
    const complete = headers['upload-complete'] === '?1' || headers['upload-incomplete'] === '?0';
    const old = 'upload-incomplete' in headers;
    const say = (file, done) => ({ 'Upload-Offset': file.has.size,
        [old ? 'Upload-Incomplete' : 'Upload-Complete']: done === old ? '?0' : '?1' });
    const isCreation = req.method === 'POST' || req.method === 'PUT';
    const id = isCreation ? randomUUID() : url.pathname.slice(base.length + 1);
    const file = isCreation || files.has(encodeURIComponent(`draft:${id}`)) ? fileOf(folder, 'draft', id) : null;

    if (!file) {
        answer(res, 404);
    } else if (req.method === 'HEAD') {
        answer(res, 204, { ...say(file, Boolean(file.complete)), 'Cache-Control': 'no-store',
            ...(file.total !== null && { 'Upload-Length': file.total }) });
    } else if (req.method === 'DELETE') {
        files.delete(file.name);
        answer(res, 204);
    } else if (!isCreation && Number(headers['upload-offset']) !== file.has.size) {
        answer(res, 409, say(file, false));
    } else if (!isCreation && !old && headers['content-type'] !== DRAFT_TYPE) {
        answer(res, 415);
    } else {
        if (isCreation && base.endsWith('-interim')) {
            // nginx 1.22 takes this for the response, and the one that follows for its
            // body: a client cannot tell, nginx's log says 104.
            res.socket.write('HTTP/1.1 104 Upload Resumption Supported\r\n' +
                `Location: ${base}/${id}\r\nUpload-Draft-Interop-Version: 8\r\n\r\n`);
        }
        file.total = 'upload-length' in headers ? Number(headers['upload-length']) : file.total;
        if (await append(req, file, file.has.size) && complete) {
            file.total = file.has.size;
            file.complete = true;
            finish(file);
        }
        answer(res, isCreation ? 201 : 204, { ...say(file, Boolean(file.complete)),
            ...(isCreation && { Location: `${base}/${id}` }) });
    }
}

// A transfer's name is in the path, or in the query as FilePond has it by default.
async function filepond({ req, res, url, folder, base }) {
    if (req.method === 'POST') {
        const id = randomUUID();
        await readForm(req);
        fileOf(folder, 'filepond', id).total = Number(req.headers['upload-length']);
        answer(res, 201, {}, id);
        return;
    }
    const id = url.searchParams.get('patch') ?? url.pathname.slice(base.length + 1);
    const file = fileOf(folder, 'filepond', id);

    if (req.method === 'HEAD') {
        answer(res, 200, { 'Upload-Offset': file.has.list[0]?.[1] ?? 0 });
    } else if (req.method === 'PATCH') {
        put(file, Number(req.headers['upload-offset']), await readAll(req), Number(req.headers['upload-length']));
        answer(res, 204);
    } else {
        answer(res, 405);
    }
}

function chunkNumbers(protocol) {
    return async ({ req, res, url, folder }) => {
        const query = Object.fromEntries(url.searchParams);
        const read = (said) => ({ key: said[`${protocol}Identifier`],
            begin: (said[`${protocol}ChunkNumber`] - 1) * said[`${protocol}ChunkSize`],
            length: Number(said[`${protocol}CurrentChunkSize`]), total: Number(said[`${protocol}TotalSize`]) });

        if (req.method === 'GET') {
            const { key, begin, length } = read(query);
            const there = fileOf(folder, protocol, key).has.covers(begin, begin + length);

            answer(res, there ? 200 : 204);
            return;
        }
        const { fields, bytes } = await readForm(req);
        const { key, begin, total } = read({ ...query, ...fields });

        put(fileOf(folder, protocol, key), begin, bytes, total);
        answer(res, 200);
    };
}

// Pieces are numbered, none but the last says where it begins: they are put one
// after the other, a repeated one in its old place.
async function plupload({ req, res, url, folder }) {
    const { fields, bytes } = await readForm(req);
    const said = { ...Object.fromEntries(url.searchParams), ...fields };
    const file = fileOf(folder, 'plupload', said.name);

    file.begins ??= [0];
    const index = Number(said.chunk ?? 0);
    const begin = said.offset === undefined ? file.begins[index] : Number(said.offset);

    file.begins[index + 1] = begin + bytes.length;
    put(file, begin, bytes, said.total !== undefined ? Number(said.total)
        : index === said.chunks - 1 ? begin + bytes.length : null);
    answer(res, 200, { 'Content-Type': 'application/json' }, '{"OK":1}');
}

async function dropzone({ req, res, folder }) {
    const { fields, bytes } = await readForm(req);

    put(fileOf(folder, 'dropzone', fields.dzuuid), Number(fields.dzchunkbyteoffset ?? 0), bytes,
        Number(fields.dztotalfilesize ?? bytes.length));
    answer(res, 200, { 'Content-Type': 'application/json' }, '{"ok":true}');
}

async function fineuploader({ req, res, folder, url }) {
    if (url.searchParams.has('done')) {
        await readAll(req);
        answer(res, 200, { 'Content-Type': 'application/json' }, '{"success":true}');
        return;
    }
    const form = await readForm(req);
    const { bytes } = form;
    const fields = { ...Object.fromEntries(url.searchParams), ...form.fields };

    put(fileOf(folder, 'fineuploader', fields.qquuid), Number(fields.qqpartbyteoffset ?? 0), bytes,
        Number(fields.qqtotalfilesize ?? bytes.length));
    answer(res, 200, { 'Content-Type': 'application/json' }, '{"success":true}');
}

export const STORES = { range, session, draft, filepond, plupload, dropzone, fineuploader,
    'draft-interim': draft,
    resumable: chunkNumbers('resumable'), flow: chunkNumbers('flow') };
