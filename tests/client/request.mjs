// One upload request over HTTP/1.1 or HTTP/2, plain or TLS. Each opener gives
// { stream, socket, response }: where to write the body, the TCP socket, and a
// promise of the response's status.
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';

const insecure = { rejectUnauthorized: false };

function drain(response) {
    return new Promise((resolve, reject) => {
        response.on('error', reject);
        response.on('end', () => resolve(response.statusCode));
        response.resume();
    });
}

// Small requests that come first on the same connection.
async function earlier(client, options, count) {
    for (let i = 0; i < count; i++) {
        await new Promise((resolve, reject) => {
            client.get({ ...options, path: '/other' }, (response) => {
                drain(response).then(resolve, reject);
            }).on('error', reject);
        });
    }
}

export async function openHttp1({ url, path, method, headers, earlierRequests = 0 }) {
    const { protocol, hostname, port } = new URL(url);
    const client = protocol === 'https:' ? https : http;
    const agent = new client.Agent({ keepAlive: true, maxSockets: 1, ...insecure });
    const options = { agent, port, hostname: hostname.replace(/^\[|\]$/g, '') };

    await earlier(client, options, earlierRequests);
    const request = client.request({ ...options, path, method, headers });
    const response = new Promise((resolve, reject) => {
        request.on('response', (message) => drain(message).then(resolve, reject));
        request.on('error', reject);
    });
    response.catch(() => {}); // an upload that is cut short is not waited for
    request.flushHeaders();
    const socket = await new Promise((resolve) => {
        request.on('socket', (s) => {
            const ready = protocol === 'https:' ? 'secureConnect' : 'connect';
            if (s.connecting || (s.encrypted && !s.authorizationError && !s.authorized)) {
                s.once(ready, () => resolve(s));
            } else {
                resolve(s);
            }
        });
    });
    return { stream: request, socket, response, close: () => agent.destroy() };
}

// A session that several uploads can share.
export async function connectHttp2(url) {
    const session = http2.connect(url, insecure);

    await new Promise((resolve, reject) => {
        session.once('remoteSettings', resolve);
        session.once('error', reject);
    });
    return session;
}

export function openHttp2(session, { path, method, headers }) {
    const stream = session.request({ ':path': path, ':method': method, ...headers });
    const response = new Promise((resolve, reject) => {
        let status = 0;

        stream.on('response', (h) => { status = h[':status']; });
        stream.on('error', reject);
        stream.on('end', () => resolve(status));
        stream.resume();
    });
    response.catch(() => {});
    return { stream, socket: session.socket, response, close: () => {} };
}
