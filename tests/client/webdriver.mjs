// Just enough of a WebDriver client (W3C) for headless Chromium through
// chromedriver: https://www.w3.org/TR/webdriver2/
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

const CHROMIUM_FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
    '--no-first-run', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--window-size=1000,700'];

export class Browser {
    // Capabilities: further ones, such as { acceptInsecureCerts: true }.
    static async open(driverUrl, profile, capabilities = {}) {
        const browser = new Browser();

        browser.base = driverUrl;
        const { sessionId } = await browser.call('POST', '/session', {
            capabilities: { alwaysMatch: {
                ...capabilities,
                'goog:chromeOptions': { args: [...CHROMIUM_FLAGS, `--user-data-dir=${profile}`] },
                'goog:loggingPrefs': { browser: 'ALL' },
            } },
        });
        browser.base = `${driverUrl}/session/${sessionId}`;
        return browser;
    }

    async call(method, path, body) {
        const response = await fetch(this.base + path, {
            method, body: body && JSON.stringify(body),
        });
        const { value } = await response.json();

        if (!response.ok) {
            throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
        }
        return value;
    }

    go(url) {
        return this.call('POST', '/url', { url });
    }

    async element(css) {
        const found = await this.call('POST', '/element', { using: 'css selector', value: css });
        return found[ELEMENT];
    }

    async type(css, text) {
        return this.call('POST', `/element/${await this.element(css)}/value`, { text });
    }

    run(script, ...args) {
        return this.call('POST', '/execute/sync', { script, args });
    }

    // A PNG of the window, as bytes.
    async screenshot() {
        return Buffer.from(await this.call('GET', '/screenshot'), 'base64');
    }

    messages() {
        return this.call('POST', '/se/log', { type: 'browser' });
    }

    close() {
        return this.call('DELETE', '');
    }
}
