// The application behind nginx, for the tests: reads a body and answers.
// The query shapes the answer: status=302, delay=MS before it, drop=1 to close
// the connection instead, read=RATE to read RATE bytes a second only.
import http from 'node:http';

const server = http.createServer(async (request, response) => {
    const query = new URL(request.url, 'http://app').searchParams;
    const rate = Number(query.get('read'));
    let bytes = 0;

    request.on('error', () => {});
    response.on('error', () => {});
    try {
        for await (const chunk of request) {
            bytes += chunk.length;
            if (rate > 0) {
                await new Promise((next) => setTimeout(next, chunk.length / rate * 1000));
            }
        }
    } catch {
        return; // the client went away
    }
    if (query.has('drop')) {
        request.socket.destroy();
        return;
    }
    setTimeout(() => {
        response.writeHead(Number(query.get('status') ?? 200), { 'Content-Type': 'text/plain' });
        response.end(`${bytes}\n`);
    }, Number(query.get('delay') ?? 0));
});

server.requestTimeout = 0;
server.listen(Number(process.argv[2]), '127.0.0.1');
