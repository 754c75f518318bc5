// Probes of the detailed output over one kept connection of their own.
import http from 'node:http';

export class Prober {
    constructor(url) {
        this.url = url;
        this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    }

    probe(id) {
        const url = `${this.url}/progress/detail?X-Progress-ID=${encodeURIComponent(id)}`;

        return new Promise((resolve, reject) => {
            http.get(url, { agent: this.agent }, (response) => {
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
