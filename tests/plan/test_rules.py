"""Every rule of the models: what is accepted, and what is said of what is not, with its place."""

from pathlib import Path

import pytest

from tests.plan.planning import SLIGHT, complaints, loaded

ACCEPTED = [
    "rate: 7/min", "rate: 1/h", "rate: 1000000/s", "rate: 10 / s", "probe: http", "connections: fresh",
    "timeout: 1.1s", "timeout: {total: 5s, connect: 5s, tls: 1ms}", "tls: {verify: false, server_name: a}",
    "expect: {status: 200}", "expect: {status: 200-299}", 'expect: {status: "200, 301-302"}',
    "expect: {status: [200, 301-302]}", 'expect: {headers: {etag: "^W"}, body: "o?k"}', "method: HEAD",
    'headers: {X-A: "1", Authorization: {env: TOKEN}, Idempotency-Key: x, Host: other.example.org}', "body: hello",
    "body_limit: 1GiB", 'resolve: {h: 10.0.0.1, g: "::1"}', "resolve_every: 100ms",
    "pool: {warm: 0, max: 256, idle: 1m}",
    "pool: {handshakes: 1}", "workers: 64", "degraded: bad", "http2: true\n    probe: http",
    'proxy: "http://[::1]:3128"\n    probe: http', "http2: false",
]  # fmt: skip


@pytest.mark.parametrize("key", ACCEPTED)
def test_a_runners_key_is_accepted(tmp_path: Path, key: str) -> None:
    loaded(tmp_path, f"{SLIGHT}    {key}\n")


REFUSED = [
    ("rate: 3", "rate", 'expected a rate with its unit, such as "3/s" or "6/min"'),
    ("rate:", "rate", 'expected a rate with its unit, such as "10/s" or "6/min"'),
    ("rate: .nan", "rate", 'expected a rate with its unit, such as "10/s" or "6/min"'),
    ("rate: 1e9/s", "rate", "'1e9/s' is not a rate: write \"10/s\", \"6/min\" or \"1/h\""),
    ("rate: 0/s", "rate", "'0/s' is out of bounds: from 1/h to 1000000/s"),
    ("rate: -1/s", "rate", "'-1/s' is not a rate: write \"10/s\", \"6/min\" or \"1/h\""),
    ("probe: htp", "probe", "expected 'app', 'http' or 'cf-api', not 'htp': did you mean 'http'?"),
    ("probe: locust", "probe", "the probe 'locust' (Locust scenarios) is not in this version: app, http or cf-api"),
    ("operation: info", "operation", "operation is the cf-api probe's: write probe: cf-api"),
    ("connections: keepalive", "connections",
     "expected 'keep-alive' or 'fresh', not 'keepalive': did you mean 'keep-alive'?"),
    ("connections: true", "connections", "expected 'keep-alive' or 'fresh', not true"),
    ("timeout: 5", "timeout", 'expected a duration with its unit, such as "5s" or "500ms"'),
    ("timeout: 1:30", "timeout", "'1:30' is not a duration: write \"500ms\", \"5s\", \"2m\", \"12h\" or \"1h30m\""),
    ("timeout: 11m", "timeout.total", "11m is out of bounds: from 1ms to 10m"),
    ("timeout: {connect: 6s}", "timeout.connect", "6s is longer than the total, 5s"),
    ("timeout: {conect: 6s}", "timeout.conect", "unknown key 'conect': did you mean 'connect'?"),
    ("tls: 5", "tls",
     "expected keys with values, not 5: the keys here are verify, ca, server_name, client_cert, client_key"),
    ("tls: {verify: yes}", "tls.verify", "expected true or false, not 'yes'"),
    ("tls: {ca: ''}", "tls.ca", "'' is not a file's name"),
    ("expect:", "expect", "is empty: expected keys with values, or leave the key out"),
    ("expect: {status: 600}", "expect.status", "'600': status codes go from 100 to 599, the lower one first"),
    ("expect: {status: 299-200}", "expect.status", "'299-200': status codes go from 100 to 599, the lower one first"),
    ("expect: {status: 2xx}", "expect.status", "'2xx' is not a status: write 200, \"200-299\" or [200, 204]"),
    ("expect: {status: []}", "expect.status", 'expected at least one status: write 200, "200-299" or [200, 204]'),
    ("expect: {status: 200.5}", "expect.status", 'expected status codes: write 200, "200-299" or [200, 204]'),
    ("expect: {headers: {a b: x}}", "expect.headers.a b",
     "'a b' is not a header's name: write letters, digits and '-'"),
    ("expect: {body: '('}", "expect.body",
     "'(' is not a regular expression: missing ), unterminated subpattern at position 0"),
    ("method: get", "method",
     "expected 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE' or 'OPTIONS', not 'get': did you mean 'GET'?"),
    ("headers: [a]", "headers", "expected keys with values, not a list"),
    ("headers: {X-A: 5}", "headers.X-A", 'expected a text (numbers in quotes: "5"), or {env: NAME} for a secret'),
    ("headers: {X-A: {enw: B}}", "headers.X-A",
     'expected a text (numbers in quotes: "5"), or {env: NAME} for a secret'),
    ("headers: {X-A: {env: a b}}", "headers.X-A", "'a b' is not the name of an environment variable"),
    ('headers: {X-A: "a\\nb"}', "headers.X-A", "X-A: a header's value is one line of printable ASCII characters"),
    ("headers: {Content-Length: '5'}", "headers.Content-Length", "Content-Length is set by the harness: leave it out"),
    ("headers: {X-a: b, x-A: c}", "headers.x-A", "x-A stands twice, in another case: keep one"),
    ("body: 5", "body", 'expected a text, not 5: write it in quotes, "5"'),
    ("body_limit: 5", "body_limit", 'expected a size with its unit, such as "10MiB" or "500kB", not 5'),
    ("body_limit: 0B", "body_limit", "out of bounds: from 1B to 1GiB"),
    ("resolve: {h: other}", "resolve.h", "'other' is not an IP address"),
    ("resolve_every: 1ms", "resolve_every", "1ms is out of bounds: from 100ms to 1d"),
    ("pool: {max: 0}", "pool.max", "expected at least 1, not 0"),
    ("pool: {max: 50001}", "pool.max", "expected at most 50000, not 50001"),
    ("pool: {max: '5'}", "pool.max", "expected a whole number, not '5'"),
    ("pool: {warm: 5, max: 2}", "pool.warm", "5 is more than max, 2"),
    ("pool: {idle: 0s}", "pool.idle", "0s is out of bounds: from 100ms to 1d"),
    ("workers: 1.0", "workers", "expected a whole number, not 1.0"),
    ("workers: 65", "workers", "expected at most 64, not 65"),
    ("degraded: ok", "degraded", "expected 'good' or 'bad', not 'ok'"),
    ("http2: true", "http2", "http2 is the http probe's: write probe: http"),
    ("proxy: http://p:1/", "proxy", "proxy is the http probe's: write probe: http"),
    ("probe: http\n    proxy: http://p:1/a", "proxy",
     "'http://p:1/a': a proxy is http(s)://host[:port], without a path"),
    ("rat: 5/s", "rat", "unknown key 'rat': did you mean 'rate'?"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "place", "text"), REFUSED, ids=[key for key, _, _ in REFUSED])
def test_a_runners_key_is_refused(tmp_path: Path, key: str, place: str, text: str) -> None:
    line = 4 + key.count("\n")
    assert complaints(tmp_path, f"{SLIGHT}    {key}\n") == [f"plan.yml:{line}: runners[0].{place}: {text}"]


def test_a_key_that_is_like_no_other_gets_the_list(tmp_path: Path) -> None:
    (said,) = complaints(tmp_path, f"{SLIGHT}    quux: 5\n")
    assert "unknown key 'quux': one of api, app, body, body_limit, connections," in said
    assert said.endswith("url, workers")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("App", "'App' is not a runner's name: lower-case letters, digits, '.', '_' and '-', at most 63, "
                "a letter or digit first"),
        ("123", 'expected a text, not 123: write it in quotes, "123"'),
        ("1.50", "expected a text, not 1.5: write it in quotes"),
        ("true", 'expected a text, not true: write it in quotes, "true"'),
        ("", "is empty: expected a text: write name: app"),
    ],
)  # fmt: skip
def test_a_name_is_refused(tmp_path: Path, name: str, text: str) -> None:
    said = complaints(tmp_path, f"runners:\n  - name: {name}\n    url: http://127.0.0.1/\n")
    assert said == [f"plan.yml:2: runners[0].name: {text}"]


@pytest.mark.parametrize("name", ["on", "0x10", "2020-01-01", "a.b_c-d", "x" * 63, "'123'"])
def test_a_name_is_accepted(tmp_path: Path, name: str) -> None:
    plan = loaded(tmp_path, f"runners:\n  - name: {name}\n    url: http://127.0.0.1/\n")
    assert plan.file.runners[0].name == name.strip("'")


def test_names_are_unique(tmp_path: Path) -> None:
    said = complaints(tmp_path, f"{SLIGHT}  - name: app\n    url: http://127.0.0.1/\n")
    assert said == ["plan.yml:4: runners[1].name: 'app' is taken by runners[0]: names are unique"]


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("h/", "'h/': expected a URL that starts with http:// or https://"),
        ("ftp://h/", "'ftp://h/': expected a URL that starts with http:// or https://"),
        ("http://", "'http://': expected http(s)://host[:port]/path"),
        ("http://a b/", "'http://a b/': expected http(s)://host[:port]/path"),
        ("http://h..b/", "'http://h..b/': expected http(s)://host[:port]/path"),
        ("http://h\\\\x/", "'http://h\\\\x/': expected http(s)://host[:port]/path"),
        ("http://[::1", "'http://[::1' is not a URL: expected http(s)://host[:port]/path"),
        ("http://h:0/", "'http://h:0/': ports go from 1 to 65535"),
        ("http://h:65536/", "'http://h:65536/': ports go from 1 to 65535"),
        ("http://h:x/", "'http://h:x/': ports go from 1 to 65535"),
        ("https://é.org/", "'https://é.org/': write the host in punycode and the path percent-encoded"),
    ],
)
def test_a_url_is_refused(tmp_path: Path, url: str, text: str) -> None:
    said = complaints(tmp_path, f'runners:\n  - name: app\n    url: "{url}"\n')
    assert said == [f"plan.yml:3: runners[0].url: {text}"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1", "HTTPS://h.example.org:443/a?b=c&d", "http://[::1]:8080/", "http://h_1.org./"]
)
def test_a_url_is_accepted(tmp_path: Path, url: str) -> None:
    assert loaded(tmp_path, f'runners:\n  - name: app\n    url: "{url}"\n').file.runners[0].url == url


BAD_PLAN_KEYS = [
    ("objectives:", "objectives", "is empty: expected a list, or leave the key out"),
    ("objectives: success >= 5%", "objectives", "expected a list, not 'success >= 5%': write [success >= 5%]"),
    ("objectives: [5]", "objectives[0]",
     "expected keys with values, not 5: the keys here are objective, runner, gate, phase, window, tolerate"),
    ("objectives: [{runner: app}]", "objectives[0]", "'objective' is missing: write objective: success >= 99.95%"),
    ("objectives: [succes >= 5%]", "objectives[0].objective",
     "'succes >= 5%': unknown indicator 'succes': did you mean 'success'?"),
    ("objectives: [{objective: p99 < 1s, runner: ap}]", "objectives[0].runner",
     "there is no runner 'ap': did you mean 'app'?"),
    ("objectives: [{objective: p99 < 1s, runner: else}]", "objectives[0].runner",
     "there is no runner 'else': the runners are app"),
    ("objectives: [{objective: p99 < 1s, gate: hard}]", "objectives[0].gate",
     "expected 'enforce' or 'warn', not 'hard'"),
    ("objectives: [{objective: p99 < 1s, window: 100ms}]", "objectives[0].window",
     "100ms is out of bounds: from 1s to 10d"),
    ("objectives: [{objective: p99 < 1s over 60s, window: 60s}]", "objectives[0].window",
     "the text says its window already: leave out one of the two"),
    ("objectives: [{objective: p99 < 1s, tolerate: {causes: [rest]}}]", "objectives[0].tolerate.causes[0]",
     "there is no 'rest': did you mean 'reset'?"),
    ("objectives: [{objective: p99 < 1s, tolerate: {causes: [missed]}}]", "objectives[0].tolerate.causes[0]",
     "'missed' is the harness's own: such ticks are unknown, and never counted as bad"),
    ("objectives: [{objective: p99 < 1s, tolerate: {components: [harness]}}]", "objectives[0].tolerate.components[0]",
     "there is no 'harness': one of app, cloud_controller, database, diego, dns, load_balancer, log_cache, "
     "network, nginx, router, target, uaa"),
    ("objectives: [p99 < 1s, p99 < 1s]", "objectives[1]", "the same as objectives[0] for runner app: keep one"),
    ("objectives: [p99 < 1s over 60s, {objective: p99 < 1000ms, window: 1m, runner: app}]", "objectives[1]",
     "the same as objectives[0] for runner app: keep one"),
    ("bounds: {max_lag: 0s}", "bounds.max_lag", "0s is out of bounds: from 1ms to 1m"),
    ("bounds: {max_blind: 1%}", "bounds.max_blind", "expected a share and a duration, such as [1%, 5s]"),
    ("bounds: {max_blind: [5, 5s]}", "bounds.max_blind[0]", 'expected a percentage from "0%" to "100%", not 5'),
    ("stop: {duration: 0s}", "stop.duration", "0s is out of bounds: from 1ms to 3650d"),
    ("stop: {duration: 13h}", "stop.duration", "13h is longer than max_duration, 12h"),
    ("stop: {max_duration: 0s}", "stop.max_duration", "0s is out of bounds: from 1ms to 3650d"),
    ("stop: {drain: 4s}", "stop.drain", "4s is out of bounds: from 0s to 3s"),
    ("stop: {file: ' '}", "stop.file", "' ' is not a file's name"),
    ("stop: {min_duration: 2h, duration: 1h}", "stop.min_duration",
     "longer than duration, 1h: every run would be inconclusive"),
    ("stop: {abort_when: success < 50%}", "stop.abort_when",
     "'success < 50%': write \"success < 50% over 15s\""),
    ("baseline: 1", "baseline", 'expected a duration with its unit, such as "1s" or "500ms"'),
    ("baseline: 31s", "baseline", "no run can be ready: the baseline takes 31s, ready_timeout is 30s"),
    ("ready_timeout: 0s", "ready_timeout", "no run can be ready: the baseline takes 1s, ready_timeout is 0s"),
    ("allow_load: yes", "allow_load", "expected true or false, not 'yes'"),
    ("alow_load: true", "alow_load", "unknown key 'alow_load': did you mean 'allow_load'?"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "place", "text"), BAD_PLAN_KEYS, ids=[key for key, _, _ in BAD_PLAN_KEYS])
def test_a_plans_key_is_refused(tmp_path: Path, key: str, place: str, text: str) -> None:
    assert complaints(tmp_path, f"{SLIGHT}{key}\n") == [f"plan.yml:4: {place}: {text}"]


GOOD_PLAN_KEYS = [
    "objectives: []", "objectives: [p99 < 1s, {objective: p99 < 2s, runner: app, gate: warn, window: 60s}]",
    "objectives: [{objective: failures <= 3, tolerate: {causes: [reset], components: [router], phases: [x]}}]",
    "bounds: {max_lag: 1m, max_blind: [0%, 0s]}", "stop: {duration: 5m, min_duration: 5m, settle: 30s, drain: 0s}",
    "stop: {file: please/stop, abort_when: success < 50% over 15s, max_duration: 24h}", "baseline: 0s",
    "baseline: 30s", "ready_timeout: 1s", "allow_load: true",
]  # fmt: skip


@pytest.mark.parametrize("key", GOOD_PLAN_KEYS)
def test_a_plans_key_is_accepted(tmp_path: Path, key: str) -> None:
    loaded(tmp_path, f"{SLIGHT}{key}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("runners:", "is empty: expected a list: write runners: [{name: app, url: https://app.example.org/}]"),
        ("runners: []",
         "is empty: expected at least one entry: write runners: [{name: app, url: https://app.example.org/}]"),
        ("runners: {a: 1}", "expected a list, not keys with values: begin each entry with '- '"),
        (f"runners: [{', '.join(['{name: a, url: http://h/}'] * 65)}]", "has 65 entries: at most 64"),
    ],
)  # fmt: skip
def test_runners_are_a_list_of_one_to_64(tmp_path: Path, text: str, said: str) -> None:
    assert f"plan.yml:1: runners: {said}" in complaints(tmp_path, text)
