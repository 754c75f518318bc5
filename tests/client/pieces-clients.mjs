// Which client speaks which protocol, and how it is started in pieces-run.mjs:
//   kind       "node" (pieces-node.mjs) or "page" (pages/pieces.js)
//   protocol   of pieces-protocols.mjs
//   path       of the endpoint, below the prefix
//   ids        where a progress ID can be: "header", "query"; "none": the protocol's own
//   probeId    what to probe for where there is none: of the oracle's upload
//   options    further ones of the client
//   lastBytes  of the last of the five pieces, 200003 without it
//   like       which other one it says the same as
const CHUNK = 256 << 10;
const LAST_BYTES = 200003;
// So small that nginx keeps it in memory.
const LITTLE = { lastBytes: 5003 };

const url = (path) => (upload, prefix) => (upload.key.startsWith('/') ? upload.key
    : `${prefix}${path}/${upload.key}`);
const key = (upload) => upload.key;

// tus-js-client and Uppy take the URL of a PATCH from the server: an argument of the
// endpoint's URL is in the creation only.
const sort = (kind, ids) => (client, more = {}) => ({
    kind, client, protocol: client, path: `/${client}`, ids, ...more });
const node = sort('node', ['header', 'none']);
const page = sort('page', ['header', 'query']);
const tus = node('tus', { probeId: url('/tus') });
const draft = node('draft', { probeId: url('/draft') });
const range = node('range', { ids: ['header', 'query'] });
const session = node('session', { probeId: key });

export const CLIENTS = {
    tus,
    'tus-deferred': { ...tus, options: { deferred: true } },
    'tus-creation': { ...tus, options: { creationWithData: true } },
    'tus-override': { ...tus, options: { override: true } },
    'tus-relative': { ...tus, path: '/tus-relative' },
    'tus-terminated': { ...tus, client: 'tusTerminated', incomplete: true },
    range,
    'range-post': { ...range, options: { method: 'POST' } },
    'range-shuffled': { ...range, options: { order: 'shuffled' } },
    'range-unknown': { ...range, options: { total: '*' } },
    session,
    'session-plain': { ...session, options: { names: 'plain' } },
    draft: { ...draft, options: { interop: 8, lengthFirst: true } },
    'draft-unknown': { ...draft, options: { interop: 6, emptyCreation: true } },
    // The server tells where the upload is before it has the first piece.
    'draft-interim': { ...draft, path: '/draft-interim', options: { interop: 8 } },
    'draft-3': { ...draft, options: { interop: 3 } },
    uppy: { ...tus, kind: 'page', client: 'uppy' },
    // The page is of another origin than what it uploads to.
    'uppy-cross': { ...tus, kind: 'page', client: 'uppy', ids: ['header'], cross: true },
    blueimp: { ...page('blueimp'), protocol: 'range', path: '/range' },
    'blueimp-raw': { ...page('blueimp'), protocol: 'range', path: '/range', options: { multipart: false } },
    resumable: page('resumable', { ids: ['header', 'query', 'none'], probeId: key, named: true }),
    'resumable-octet': page('resumable', { ids: ['query', 'none'], probeId: key, named: true,
        options: { method: 'octet' } }),
    flow: page('flow', { ids: ['header', 'query', 'none'], probeId: key, named: true }),
    'flow-octet': page('flow', { ids: ['query', 'none'], probeId: key, named: true,
        options: { method: 'octet' } }),
    filepond: page('filepond', { ids: ['header', 'none'], probeId: url('/filepond') }),
    'filepond-query': page('filepond', { ids: ['header'], options: { inQuery: true } }),
    plupload: page('plupload'),
    'plupload-raw': page('plupload', { options: { multipart: false } }),
    'plupload-offset': page('plupload', { options: { multipart: false, numbers: false } }),
    dropzone: page('dropzone'),
    'dropzone-range': page('dropzone', { options: { ranges: true } }),
    fineuploader: page('fineuploader'),
    'fineuploader-query': page('fineuploader', { ids: ['header', 'query', 'none'], probeId: key,
        options: { inQuery: true } }),
};

for (const name of ['flow', 'plupload', 'dropzone', 'fineuploader']) {
    CLIENTS[`${name}-little`] = { ...CLIENTS[name], ...LITTLE, like: name };
}

export const CHUNK_BYTES = CHUNK;
// Five pieces, the last one shorter than the others.
export const fileBytes = (client) => 4 * CHUNK + (client.lastBytes ?? LAST_BYTES);
