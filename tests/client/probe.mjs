// Probes of the detailed output over one kept connection of their own.
import http from 'node:http';
import https from 'node:https';

export class Prober {
    constructor(url) {
        this.url = url;
        this.protocol = url.startsWith('https:') ? https : http;
        this.agent = new this.protocol.Agent({
            keepAlive: true, maxSockets: 1, rejectUnauthorized: false,
        });
    }

    probe(id) {
        const url = `${this.url}/progress/detail?X-Progress-ID=${encodeURIComponent(id)}`;

        return new Promise((resolve, reject) => {
            this.protocol.get(url, { agent: this.agent }, (response) => {
                let text = '';

                response.setEncoding('utf8');
                response.on('data', (chunk) => { text += chunk; });
                response.on('end', () => {
                    if (response.statusCode !== 200) {
                        reject(new Error(`probe of ${id}: ${response.statusCode} ${text}`));
                    } else {
                        resolve(JSON.parse(text));
                    }
                });
            }).on('error', reject);
        });
    }

    close() {
        this.agent.destroy();
    }
}
