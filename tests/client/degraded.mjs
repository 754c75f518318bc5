// One upload over HTTP/2, whose live count only the temporary file tells, and
// one over plain HTTP/1.1, whose count the socket tells; for 64-degraded.bats.
//
//   degraded.mjs held url=URL tls=TLS_URL folder=FOLDER ids=A,B [bytes=2000000]
//
// They send the first half, make the file "half", wait for "go", send the rest.
// The first ID is that over HTTP/2. Fails unless both are answered 200.
import fs from 'node:fs';

import { expect, main, poll } from './peer.mjs';
import { connectHttp2, openHttp1, openHttp2 } from './request.mjs';

async function held({ url, tls, folder, ids, bytes = 2000000 }) {
    const session = await connectHttp2(tls);
    const [file, socket] = ids.split(',');
    const of = (id) => ({ method: 'POST', path: `/upload?X-Progress-ID=${id}`,
        headers: { 'content-length': Number(bytes) } });
    const requests = [await openHttp2(session, of(file)), await openHttp1({ url, ...of(socket) })];
    const half = Buffer.alloc(Number(bytes) / 2, 'x');

    await Promise.all(requests.map(({ stream }) =>
        new Promise((next) => stream.write(half, next))));
    fs.writeFileSync(`${folder}/half`, '');
    await poll('the rest', () => fs.existsSync(`${folder}/go`), 60000);
    requests.forEach(({ stream }) => stream.end(half));
    for (const { response, close } of requests) {
        expect('status', await response, 200);
        close();
    }
    session.close();
}

await main({ held });
