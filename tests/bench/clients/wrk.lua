-- Requests about many IDs, for wrk; its figures in one line.
--
--   wrk ... -s wrk.lua URL -- PREFIX COUNT [BODY_BYTES]
--
-- With a COUNT, GET of PREFIX-0 to PREFIX-(COUNT-1), each after the other in
-- steps that reach all of them; with a body, POST of PREFIX-0, PREFIX-1, ... each
-- once, whatever COUNT. One thread (-t1) only, or IDs would be sent twice.
local STEP = 7919 -- a prime, no divisor of the counts in use
local issued = 0
local head, tail, prefix, count, body
local the_thread

function setup(thread)
    the_thread = thread
end

function init(args)
    prefix, count = args[1], tonumber(args[2])
    body = tonumber(args[3] or "0")
    local method = body > 0 and "POST" or "GET"
    local whole = wrk.format(method, wrk.path .. "?X-Progress-ID=" .. prefix .. "-@@",
        nil, body > 0 and string.rep("x", body) or nil)
    head, tail = whole:match("^(.-)@@(.*)$")
    issued_count = 0
end

function request()
    local number = body > 0 and issued or (issued * STEP) % count
    issued = issued + 1
    issued_count = issued
    return head .. string.format("%d", number) .. tail
end

function done(summary, latency)
    local errors = summary.errors
    print(string.format("\nBENCH requests=%d issued=%d seconds=%.6f rps=%.1f p50_ms=%.3f "
        .. "p99_ms=%.3f socket_errors=%d timeouts=%d status_errors=%d",
        summary.requests, the_thread:get("issued_count"), summary.duration / 1e6,
        summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1e3,
        latency:percentile(99) / 1e3,
        errors.connect + errors.read + errors.write, errors.timeout, errors.status))
end
