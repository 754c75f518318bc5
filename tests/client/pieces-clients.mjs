// Which client speaks which protocol, and how it is started in pieces-run.mjs:
//   kind       "node" (pieces-node.mjs) or "page" (pages/pieces.js)
//   protocol   of pieces-protocols.mjs
//   path       of the endpoint, below the prefix
//   ids        where a progress ID can be: "header", "query"; "none": the protocol's own
//   probeId    what to probe for where there is none: of the oracle's upload
//   options    further ones of the client
const CHUNK = 256 << 10;

const url = (path) => (upload, prefix) => (upload.key.startsWith('/') ? upload.key : `${prefix}${path}/${upload.key}`);
const key = (upload) => upload.key;

// tus-js-client and Uppy take the URL of a PATCH from the server: an argument of the
// endpoint's URL is in the creation only.
const tus = { kind: 'node', client: 'tus', protocol: 'tus', path: '/tus', ids: ['header', 'none'], probeId: url('/tus') };
const draft = { kind: 'node', client: 'draft', protocol: 'draft', path: '/draft', ids: ['header', 'none'], probeId: url('/draft') };
const range = { kind: 'node', client: 'range', protocol: 'range', path: '/range', ids: ['header', 'query'] };
const session = { kind: 'node', client: 'session', protocol: 'session', path: '/session', ids: ['header', 'none'], probeId: key };
const page = (client, more = {}) => ({ kind: 'page', client, protocol: client, path: `/${client}`, ids: ['header', 'query'], ...more });

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
    'draft-3': { ...draft, options: { interop: 3 } },
    uppy: { ...page('uppy'), protocol: 'tus', path: '/tus', ids: ['header', 'none'], probeId: url('/tus') },
    // The page is of another origin than what it uploads to.
    'uppy-cross': { ...page('uppy'), protocol: 'tus', path: '/tus', ids: ['header'], cross: true },
    blueimp: { ...page('blueimp'), protocol: 'range', path: '/range' },
    'blueimp-raw': { ...page('blueimp'), protocol: 'range', path: '/range', options: { multipart: false } },
    resumable: page('resumable', { ids: ['header', 'query', 'none'], probeId: key, named: true }),
    'resumable-octet': page('resumable', { ids: ['query', 'none'], probeId: key, named: true, options: { method: 'octet' } }),
    flow: page('flow', { ids: ['header', 'query', 'none'], probeId: key, named: true }),
    'flow-octet': page('flow', { ids: ['query', 'none'], probeId: key, named: true, options: { method: 'octet' } }),
    filepond: page('filepond', { ids: ['header', 'none'], probeId: url('/filepond') }),
    'filepond-query': page('filepond', { ids: ['header'], options: { inQuery: true } }),
    plupload: page('plupload'),
    'plupload-raw': page('plupload', { options: { multipart: false } }),
    'plupload-offset': page('plupload', { options: { multipart: false, numbers: false } }),
    dropzone: page('dropzone'),
    fineuploader: page('fineuploader'),
};

export const CHUNK_BYTES = CHUNK;
// Five pieces, the last one shorter than the others.
export const FILE_BYTES = 4 * CHUNK + 200003;
