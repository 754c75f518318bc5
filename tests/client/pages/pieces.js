// Each library sends the chosen file in pieces, as its documentation says.
// begin(config) starts; window.outcome is "done", or what went wrong.
//   client, endpoint, chunk (bytes), parallel (at a time), id, idIn ("header",
//   "query"), key (what the library shall call the file where it may be told),
//   resume: go on with what an earlier page has begun
'use strict';

window.outcome = null;

const SCRIPTS = {
    uppy: ['uppy.js'],
    blueimp: ['jquery.js', 'jquery.ui.widget.js', 'jquery.fileupload.js'],
    resumable: ['resumable.js'],
    flow: ['flow.js'],
    filepond: ['filepond.js'],
    plupload: ['plupload.js'],
    dropzone: ['dropzone.js'],
    fineuploader: ['fine-uploader.js'],
};

function loadScript(name) {
    return new Promise((done, failed) => {
        const script = document.createElement('script');

        script.src = `/lib/${name}`;
        script.onload = done;
        script.onerror = () => failed(new Error(`${name} cannot be loaded`));
        document.head.append(script);
    });
}

function chosenFile() {
    return document.querySelector('#file').files[0];
}

function withId(config, url) {
    return config.id && config.idIn === 'query'
        ? `${url}${url.includes('?') ? '&' : '?'}X-Progress-ID=${encodeURIComponent(config.id)}` : url;
}

function idHeader(config) {
    return config.id && config.idIn === 'header' ? { 'X-Progress-ID': config.id } : {};
}

// A query that a library makes into query arguments of each request.
function idArgument(config) {
    return config.id && config.idIn === 'query' ? { 'X-Progress-ID': config.id } : {};
}

const RETRY_MS = 150;

const LIBRARIES = {
    uppy(config, done, failed) {
        const uppy = new window.UppyBundle.Uppy({ id: 'pieces' });

        uppy.use(window.UppyBundle.Tus, { endpoint: withId(config, config.endpoint), chunkSize: config.chunk,
            retryDelays: [100, 200, 400], headers: idHeader(config), limit: 5,
            parallelUploads: config.parallel > 1 ? config.parallel : null });
        uppy.on('upload-success', () => done());
        uppy.on('error', failed);
        uppy.on('upload-error', (file, error) => failed(error));
        uppy.addFile({ name: chosenFile().name, type: 'application/octet-stream', data: chosenFile() });
        uppy.upload();
    },

    blueimp(config, done, failed) {
        const $ = window.jQuery;
        const file = chosenFile();
        let tries = 0;

        // As its wiki says: ask how much is there, go on from that.
        function ask(then) {
            $.getJSON(config.endpoint, { file: file.name }, ({ size }) => then(size));
        }
        $('#form').fileupload({
            url: withId(config, config.endpoint), type: 'POST', dataType: 'json', maxChunkSize: config.chunk,
            multipart: config.multipart !== false, headers: idHeader(config), autoUpload: false,
            done: () => done(),
            fail(event, data) {
                if (tries++ === 4) {
                    failed(new Error(data.textStatus));
                    return;
                }
                setTimeout(() => ask((size) => {
                    data.uploadedBytes = size;
                    data.data = null;
                    data.submit();
                }), RETRY_MS);
            },
            add(event, data) {
                if (!config.resume) {
                    data.submit();
                    return;
                }
                ask((size) => {
                    data.uploadedBytes = size;
                    data.submit();
                });
            },
        });
        $('#form').fileupload('add', { files: [file] });
    },

    resumable(config, done, failed) {
        const upload = new window.Resumable({ target: config.endpoint, query: idArgument(config),
            headers: idHeader(config), chunkSize: config.chunk, forceChunkSize: true,
            simultaneousUploads: config.parallel ?? 1, testChunks: config.test !== false,
            method: config.method ?? 'multipart', chunkRetryInterval: RETRY_MS, maxChunkRetries: 4,
            // 500 is otherwise final.
            permanentErrors: [400, 404, 415, 501],
            ...(config.key && { generateUniqueIdentifier: () => config.key }) });

        upload.on('fileSuccess', () => done());
        upload.on('fileError', (file, message) => failed(new Error(message)));
        upload.on('fileAdded', () => upload.upload());
        upload.addFile(chosenFile());
    },

    flow(config, done, failed) {
        const upload = new window.Flow({ target: withId(config, config.endpoint), headers: idHeader(config),
            chunkSize: config.chunk, forceChunkSize: true, simultaneousUploads: config.parallel ?? 1,
            testChunks: config.test !== false, method: config.method ?? 'multipart', chunkRetryInterval: RETRY_MS,
            maxChunkRetries: 4, permanentErrors: [404, 413, 415, 501], successStatuses: [200, 201, 202],
            ...(config.key && { generateUniqueIdentifier: () => config.key }) });

        upload.on('fileSuccess', () => done());
        upload.on('fileError', (file, message) => failed(new Error(message)));
        upload.on('filesSubmitted', () => upload.upload());
        upload.addFile(chosenFile());
    },

    filepond(config, done, failed) {
        const headers = idHeader(config);
        const pond = window.FilePond.create({ chunkUploads: true, chunkSize: config.chunk, chunkForce: true,
            chunkRetryDelays: [RETRY_MS, 2 * RETRY_MS, 4 * RETRY_MS], name: 'filepond',
            server: {
                url: config.endpoint,
                process: { url: withId(config, '/'), method: 'POST', headers },
                patch: { url: config.inQuery ? '?patch=' : '/', headers },
            } });

        pond.on('processfile', (error) => (error ? failed(new Error(JSON.stringify(error))) : done()));
        document.querySelector('#drop').append(pond.element);
        pond.addFile(chosenFile());
    },

    plupload(config, done, failed) {
        const upload = new window.plupload.Uploader({ runtimes: 'html5', browse_button: 'text',
            url: withId(config, config.endpoint), headers: idHeader(config), chunk_size: config.chunk, max_retries: 4,
            multipart: config.multipart !== false, send_chunk_number: config.numbers !== false,
            ...(config.key && { unique_names: true }) });

        upload.bind('PostInit', () => upload.addFile(chosenFile(), config.key));
        upload.bind('FilesAdded', () => setTimeout(() => upload.start(), 0));
        upload.bind('FileUploaded', () => done());
        upload.bind('Error', (up, error) => failed(new Error(error.message)));
        upload.init();
    },

    dropzone(config, done, failed) {
        window.Dropzone.autoDiscover = false;
        const zone = new window.Dropzone('#drop', { url: withId(config, config.endpoint), headers: idHeader(config),
            chunking: true, forceChunking: true, chunkSize: config.chunk, retryChunks: true, retryChunksLimit: 4,
            parallelChunkUploads: config.parallel > 1, maxFilesize: 100, createImageThumbnails: false });

        if (config.ranges) {
            // As docs/pieces.md says, for where the form cannot be read.
            zone.on('sending', (file, xhr, form) => {
                const begin = Number(form.get('dzchunkbyteoffset'));
                const end = Math.min(begin + Number(form.get('dzchunksize')), file.size);

                xhr.setRequestHeader('Content-Range', `bytes ${begin}-${end - 1}/${file.size}`);
            });
        }
        zone.on('success', () => done());
        zone.on('error', (file, message) => failed(new Error(String(message))));
        zone.addFile(chosenFile());
    },

    fineuploader(config, done, failed) {
        const upload = new window.qq.FineUploaderBasic({
            request: { endpoint: withId(config, config.endpoint), customHeaders: idHeader(config),
                paramsInBody: !config.inQuery },
            chunking: { enabled: true, partSize: config.chunk, mandatory: true,
                concurrent: { enabled: config.parallel > 1 },
                success: { endpoint: withId(config, `${config.endpoint}?done=1`) } },
            maxConnections: config.parallel ?? 1,
            resume: { enabled: true },
            retry: { enableAuto: true, autoAttemptDelay: RETRY_MS / 1000, maxAutoAttempts: 4 },
            callbacks: { onComplete: (id, name, response) => (response.success ? done() : undefined),
                onAllComplete: (good, bad) => (bad.length > 0 ? failed(new Error('given up')) : undefined) },
        });

        upload.addFiles([chosenFile()]);
    },
};

window.begin = async (config) => {
    try {
        for (const name of SCRIPTS[config.client]) {
            await loadScript(name);
        }
        await new Promise((done, failed) => { LIBRARIES[config.client](config, done, failed); });
        window.outcome = 'done';
    } catch (error) {
        window.outcome = `failed: ${error?.message ?? error}`;
    }
};
