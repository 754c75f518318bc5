// Servers behind nginx, and a control port to watch and to disturb them:
//
//   node backends.mjs CONTROL_PORT PORT...
//
// A PORT is an HTTP server, which answers "URI N", N being its place from 1 on;
// PORT=PORT2 is a relay, which passes its connections on to PORT2. On the control
// port, each answered by one number for each server:
//
//   /requests      requests that came
//   /connections   connections that were accepted
//   /active        requests not answered yet
//   /most          the most requests that were ever unanswered at a time
//   /reset         begins to count anew
//   /set?server=N&delay=MS    waits before it answers
//   /set?server=N&hold=1      does not answer at all; hold=0 answers those held
//   /set?server=N&status=503  answers with that status
//   /stop?server=N            closes the port and all its connections
//   /start?server=N           opens it again
import http from 'node:http';
import net from 'node:net';

const HOST = '127.0.0.1';

class Backend {
    constructor(number, spec) {
        [this.port, this.target] = spec.split('=').map(Number);
        this.number = number;
        this.sockets = new Set();
        this.held = [];
        this.active = 0;
        this.delay = 0;
        this.hold = 0;
        this.status = 200;
        this.reset();
    }

    reset() {
        this.requests = 0;
        this.connections = 0;
        this.most = this.active;
    }

    start() {
        this.server = this.target ? net.createServer({ allowHalfOpen: true }, (socket) => this.#relay(socket))
            : http.createServer((request, response) => this.#answer(request, response));
        // Whoever closes an idle connection, it is not this server.
        this.server.keepAliveTimeout = 0;
        this.server.requestTimeout = 0;
        this.server.on('connection', (socket) => {
            this.connections++;
            this.sockets.add(socket);
            socket.on('error', () => {});
            socket.on('close', () => this.sockets.delete(socket));
        });
        return new Promise((resolve, reject) => {
            this.server.once('error', reject);
            this.server.listen({ port: this.port, host: HOST, backlog: 1024 }, resolve);
        });
    }

    stop() {
        const closed = new Promise((resolve) => this.server.close(resolve));

        this.held = [];
        this.sockets.forEach((socket) => socket.destroy());
        return closed;
    }

    set(values) {
        for (const name of ['delay', 'hold', 'status']) {
            if (values.has(name)) {
                this[name] = Number(values.get(name));
            }
        }
        if (!this.hold) {
            this.held.splice(0).forEach((answer) => answer());
        }
    }

    #relay(socket) {
        const other = net.createConnection({ port: this.target, host: HOST, allowHalfOpen: true });

        other.on('error', () => socket.destroy());
        socket.on('error', () => other.destroy());
        socket.pipe(other).pipe(socket);
    }

    #answer(request, response) {
        const answer = () => {
            response.writeHead(this.status, { 'Content-Type': 'text/plain' });
            response.end(`${request.url} ${this.number}\n`);
        };

        this.requests++;
        this.active++;
        this.most = Math.max(this.most, this.active);
        response.on('close', () => this.active--);
        request.on('error', () => {});
        response.on('error', () => {});
        request.on('end', () => {
            if (this.hold) {
                this.held.push(answer);
            } else if (this.delay > 0) {
                setTimeout(answer, this.delay);
            } else {
                answer();
            }
        });
        request.resume();
    }
}

const [control, ...specs] = process.argv.slice(2);
const backends = specs.map((spec, i) => new Backend(i + 1, spec));

async function act(url) {
    const one = backends[Number(url.searchParams.get('server')) - 1];
    const counter = url.pathname.slice(1);

    switch (counter) {
    case 'requests':
    case 'connections':
    case 'active':
    case 'most':
        return backends.map((backend) => backend[counter]).join(' ');
    case 'reset':
        backends.forEach((backend) => backend.reset());
        return 'reset';
    case 'set':
        one.set(url.searchParams);
        return 'set';
    case 'start':
    case 'stop':
        await one[counter]();
        return counter;
    default:
        throw new Error(`unknown: ${url.pathname}`);
    }
}

await Promise.all(backends.map((backend) => backend.start()));
http.createServer(async (request, response) => {
    try {
        response.end(`${await act(new URL(request.url, 'http://control'))}\n`);
    } catch (error) {
        response.writeHead(400);
        response.end(`${error.message}\n`);
    }
}).listen(Number(control), HOST);
