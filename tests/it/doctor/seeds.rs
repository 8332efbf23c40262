//! Faults as people make them: a small change to a shipped recipe, and what must be found.

use crate::proxies::recipe::{Edit, Proxy};

/// One fault.
pub(super) struct Seed {
    /// For messages and folders.
    pub(super) name: &'static str,
    pub(super) proxy: Proxy,
    pub(super) edits: &'static [Edit],
    /// Exactly these errors and warnings, in the order of the codes.
    pub(super) expected: &'static [&'static str],
    /// Stands in the lines that mend it.
    pub(super) mend: &'static str,
    /// Questions that cannot be read show at every watch, so such a seed has a gate of its own.
    pub(super) unread: bool,
}

const fn seed(
    proxy: Proxy,
    name: &'static str,
    edits: &'static [Edit],
    expected: &'static [&'static str],
    mend: &'static str,
) -> Seed {
    Seed { name, proxy, edits, expected, mend, unread: false }
}

const fn edit(file: &'static str, shipped: &'static str, instead: &'static str) -> Edit {
    Edit { file, shipped, instead }
}

const NGINX: &str = "panelgate.conf";
const CADDY: &str = "Caddyfile";
const ROUTES: &str = "panelgate.yaml";
const TRAEFIK: &str = "traefik.yaml";
const HAPROXY: &str = "haproxy.cfg";
const LUA: &str = "panelgate.lua";
const ENVOY: &str = "envoy.yaml";

/// All of them.
pub(super) const SEEDS: &[Seed] = &[
    seed(
        Proxy::Nginx,
        "n-real-ip-from-anybody",
        &[edit(
            NGINX,
            "    client_max_body_size 1g;",
            "    set_real_ip_from 0.0.0.0/0;\n    real_ip_header X-Forwarded-For;\n    client_max_body_size 1g;",
        )],
        &["D014", "D030", "D057"],
        "proxy_set_header X-Forwarded-For    $remote_addr;",
    ),
    seed(
        Proxy::Nginx,
        "n-appends-to-forwarded-for",
        &[edit(
            NGINX,
            "proxy_set_header X-Gate-Proxy-Secret   \"\";\n\n        proxy_set_header X-Forwarded-For    $remote_addr;",
            "proxy_set_header X-Gate-Proxy-Secret   \"\";\n\n        proxy_set_header X-Forwarded-For    $proxy_add_x_forwarded_for;",
        )],
        &["D057"],
        "proxy_set_header X-Forwarded-For    $remote_addr;",
    ),
    seed(
        Proxy::Nginx,
        "n-underscores",
        &[edit(NGINX, "underscores_in_headers off;", "underscores_in_headers on;")],
        &["D052"],
        "underscores_in_headers off;",
    ),
    seed(
        Proxy::Nginx,
        "n-no-error-page",
        &[edit(NGINX, "error_page 401 403 = @gate_refused;", "")],
        &["D024"],
        "error_page 401 403 = @gate_refused;",
    ),
    seed(
        Proxy::Nginx,
        "n-no-remote-user",
        &[edit(NGINX, "proxy_set_header Remote-User           $gate_user;", "")],
        &["D050", "D051"],
        "proxy_set_header Remote-User           $gate_user;",
    ),
    seed(
        Proxy::Nginx,
        "n-php-location",
        &[edit(
            NGINX,
            "    # 2. The gate's own",
            "    location ~ \\.php$ { proxy_pass http://panel; }\n    # 2. The gate's own",
        )],
        &["D021"],
        "auth_request     /_gate/auth-request;",
    ),
    seed(
        Proxy::Nginx,
        "n-proxy-pass-with-a-slash",
        &[edit(NGINX, "proxy_pass http://panel;", "proxy_pass http://panel/;")],
        &["D060"],
        "proxy_pass http://panel;",
    ),
    seed(
        Proxy::Nginx,
        "n-asks-about-the-normal-path",
        &[edit(NGINX, "$scheme://$http_host$request_uri;", "$scheme://$http_host$uri;")],
        &["D028"],
        "proxy_set_header X-Original-URL     $scheme://$http_host$request_uri;",
    ),
    seed(
        Proxy::Nginx,
        "n-rewrites",
        &[edit(
            NGINX,
            "        auth_request     /_gate/auth-request;",
            "        rewrite ^/echo/(.*)$ /panel/$1 break;\n        auth_request     /_gate/auth-request;",
        )],
        &["D060"],
        "proxy_pass http://panel;",
    ),
    seed(
        Proxy::Nginx,
        "n-no-gate-pages",
        &[edit(NGINX, "location ^~ /_gate/ {", "location ^~ /_gates/ {")],
        &["D010", "D012"],
        "location ^~ /_gate/ {",
    ),
    seed(
        Proxy::Nginx,
        "n-asks-about-http",
        &[edit(NGINX, "$scheme://$http_host$request_uri;", "http://$http_host$request_uri;")],
        &["D026", "D043"],
        "proxy_set_header X-Original-URL     $scheme://$http_host$request_uri;",
    ),
    seed(
        Proxy::Nginx,
        "n-always-get",
        &[edit(
            NGINX,
            "proxy_set_header X-Original-Method  $request_method;",
            "proxy_set_header X-Original-Method  GET;",
        )],
        &["D040"],
        "proxy_set_header X-Original-Method  $request_method;",
    ),
    seed(
        Proxy::Nginx,
        "n-passes-cookies",
        &[edit(
            NGINX,
            "proxy_set_header Cookie        $gate_cookie;",
            "proxy_set_header Cookie        $http_cookie;",
        )],
        &["D054"],
        "proxy_set_header Cookie        $gate_cookie;",
    ),
    seed(
        Proxy::Nginx,
        "n-hides-set-cookie",
        &[edit(NGINX, "        client_max_body_size 64k;", "        proxy_hide_header Set-Cookie;")],
        &["D012"],
        "proxy_hide_header Set-Cookie",
    ),
    seed(
        Proxy::Nginx,
        "n-cookie-path",
        &[edit(NGINX, "        client_max_body_size 64k;", "        proxy_cookie_path ~^/_gate / ;")],
        &["D013"],
        "proxy_cookie_path",
    ),
    seed(
        Proxy::Nginx,
        "n-intercepts-errors",
        &[edit(NGINX, "proxy_intercept_errors off;", "proxy_intercept_errors on;")],
        &["D066"],
        "proxy_intercept_errors off;",
    ),
    seed(
        Proxy::Nginx,
        "n-default-server",
        &[edit(
            NGINX,
            "server {\n    listen 443 ssl http2;                   # nginx 1.25.1 and newer: `listen 443 ssl;` and `http2 on;`",
            "server {\n    listen 443 ssl http2 default_server;\n    server_name _;\n    ssl_certificate /etc/ssl/panel.example.com/fullchain.pem;\n    ssl_certificate_key /etc/ssl/panel.example.com/privkey.pem;\n    location / { proxy_pass http://panel; }\n}\nserver {\n    listen 443 ssl http2;",
        )],
        &["D022"],
        "auth_request     /_gate/auth-request;",
    ),
    seed(
        Proxy::Nginx,
        "n-old-tls",
        &[edit(
            NGINX,
            "ssl_protocols       TLSv1.2 TLSv1.3;",
            "ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3;\n    ssl_ciphers DEFAULT@SECLEVEL=0;",
        )],
        &["D002"],
        "ssl_protocols       TLSv1.2 TLSv1.3;",
    ),
    seed(
        Proxy::Nginx,
        "n-small-buffers",
        &[edit(NGINX, "    proxy_buffer_size           32k;\n", "    proxy_buffer_size 4k;\n")],
        &["D068"],
        "proxy_buffer_size           32k;",
    ),
    seed(
        Proxy::Nginx,
        "n-cache",
        &[
            edit(NGINX, "upstream panel {", "proxy_cache_path cache keys_zone=kept:1m;\nupstream panel {"),
            edit(NGINX, "proxy_buffering         off;", "proxy_buffering on; proxy_cache kept;"),
        ],
        &["D067"],
        "proxy_cache",
    ),
    Seed {
        unread: true,
        ..seed(
            Proxy::Nginx,
            "n-no-original-url",
            &[edit(
                NGINX,
                "        proxy_set_header X-Original-URL     $scheme://$http_host$request_uri;\n",
                "",
            )],
            &["D027", "D035"],
            "proxy_set_header X-Original-URL     $scheme://$http_host$request_uri;",
        )
    },
    seed(
        Proxy::Caddy,
        "c-trusts-everybody",
        &[
            edit(
                CADDY,
                "\tdefault_bind 0.0.0.0 [::]",
                "\tdefault_bind 0.0.0.0 [::]\n\tservers {\n\t\ttrusted_proxies static 0.0.0.0/0\n\t}",
            ),
            edit(CADDY, "\t\trequest_header -X-Forwarded-*\n", ""),
        ],
        &["D015", "D031", "D032", "D057"],
        "request_header -X-Forwarded-*",
    ),
    seed(
        Proxy::Caddy,
        "c-incomplete-copy-headers",
        &[edit(CADDY, "X-Api-Key Remote-User Remote-Groups", "X-Api-Key Remote-Groups")],
        &["D050"],
        "Remote-User Remote-Groups",
    ),
    seed(
        Proxy::Caddy,
        "c-connection",
        &[edit(CADDY, "\t\trequest_header -Connection\n", "")],
        &["D053"],
        "request_header -Connection",
    ),
    seed(
        Proxy::Caddy,
        "c-passes-cookies",
        &[edit(CADDY, "copy_headers Cookie Authorization", "copy_headers Authorization")],
        &["D054"],
        "copy_headers Cookie Authorization",
    ),
    seed(
        Proxy::Caddy,
        "c-method-override",
        &[edit(CADDY, "\t\trequest_header -X-Http-Method-Override\n", "")],
        &["D058"],
        "request_header -X-Http-Method-Override",
    ),
    seed(
        Proxy::Caddy,
        "c-assets",
        &[edit(
            CADDY,
            "\t\t# 2. Everything else",
            "\t\t@assets path *.css *.js\n\t\thandle @assets {\n\t\t\treverse_proxy 127.0.0.1:8080\n\t\t}\n\t\t# 2. Everything else",
        )],
        &["D021"],
        "forward_auth unix//run/panelgate/sidecar.sock {",
    ),
    seed(
        Proxy::Caddy,
        "c-no-upgrade",
        &[edit(CADDY, "\t\trequest_header @websocket Connection Upgrade\n", "")],
        &["D063"],
        "request_header @websocket Connection Upgrade",
    ),
    seed(
        Proxy::Caddy,
        "c-strips-a-prefix",
        &[edit(
            CADDY,
            "\t\t\treverse_proxy 127.0.0.1:8080 {",
            "\t\t\turi strip_prefix /echo\n\t\t\treverse_proxy 127.0.0.1:8080 {",
        )],
        &["D026", "D041"],
        "no `uri`",
    ),
    seed(
        Proxy::Traefik,
        "t-insecure",
        &[edit(
            TRAEFIK,
            "    address: \":443\"\n",
            "    address: \":443\"\n    forwardedHeaders: { insecure: true }\n",
        )],
        &["D015", "D031", "D032", "D033", "D034"],
        "forwardedHeaders.insecure",
    ),
    seed(
        Proxy::Traefik,
        "t-incomplete-response-headers",
        &[edit(ROUTES, "          - Remote-User\n", "")],
        &["D050", "D051"],
        "- Remote-User",
    ),
    seed(
        Proxy::Traefik,
        "t-nobody-asks",
        &[edit(ROUTES, "[gate-clean, gate-introduce, gate-ask, gate-withdraw]", "[gate-clean]")],
        &["D020", "D050", "D051", "D054", "D055"],
        "middlewares: [gate-clean, gate-introduce, gate-ask, gate-withdraw]",
    ),
    seed(
        Proxy::Traefik,
        "t-aliases",
        &[edit(TRAEFIK, "aliasHeadersStrategy: delete", "aliasHeadersStrategy: keep")],
        &["D052"],
        "aliasHeadersStrategy: delete",
    ),
    seed(
        Proxy::Traefik,
        "t-strips-a-prefix",
        &[
            edit(ROUTES, "gate-ask, gate-withdraw]", "gate-ask, gate-withdraw, strip]"),
            edit(
                ROUTES,
                "    gate-ask:\n",
                "    strip:\n      stripPrefix: { prefixes: [/echo] }\n\n    gate-ask:\n",
            ),
        ],
        &["D060"],
        "stripPrefix",
    ),
    seed(
        Proxy::Traefik,
        "t-assets",
        &[edit(
            ROUTES,
            "    panel:\n      entryPoints",
            "    assets:\n      entryPoints: [websecure]\n      rule: \"PathRegexp(`\\\\.(css|js)$`) && !PathPrefix(`/_gate/`)\"\n      priority: 1000\n      service: panel\n      tls: {}\n    panel:\n      entryPoints",
        )],
        &["D021"],
        "middlewares: [gate-clean, gate-introduce, gate-ask, gate-withdraw]",
    ),
    seed(
        Proxy::Traefik,
        "t-secret-goes-on",
        &[edit(ROUTES, "gate-ask, gate-withdraw]", "gate-ask]")],
        &["D059"],
        "gate-withdraw",
    ),
    Seed {
        unread: true,
        ..seed(
            Proxy::Traefik,
            "t-wrong-secret",
            &[edit(
                ROUTES,
                "X-Gate-Proxy-Secret: \"change-me\"",
                "X-Gate-Proxy-Secret: \"changed, but not to the same\"\n          X-Unused: \"change-me\"",
            )],
            &["D010", "D012", "D027"],
            "X-Gate-Proxy-Secret",
        )
    },
    seed(
        Proxy::Haproxy,
        "h-believes-the-source",
        &[edit(
            HAPROXY,
            "    acl odd_connection",
            "    http-request set-src hdr(x-forwarded-for)\n    acl odd_connection",
        )],
        &["D014", "D030", "D057"],
        "http-request del-header x-forwarded- -m beg",
    ),
    seed(
        Proxy::Haproxy,
        "h-incomplete-identity",
        &[edit(LUA, "\"remote-user\", \"remote-groups\",", "\"remote-groups\",")],
        &["D050"],
        "\\\"remote-user\\\"",
    ),
    seed(
        Proxy::Haproxy,
        "h-aliases",
        &[edit(HAPROXY, "    http-request del-header [_.] -m reg\n", "")],
        &["D052"],
        "http-request del-header [_.] -m reg",
    ),
    seed(
        Proxy::Haproxy,
        "h-assets",
        &[
            edit(
                HAPROXY,
                "http-request lua.panelgate if !gate",
                "acl asset path_end .css .js .png\n    http-request lua.panelgate if !gate !asset",
            ),
            edit(HAPROXY, "deny_status 503 if !gate !{", "deny_status 503 if !gate !asset !{"),
        ],
        &["D021"],
        "http-request lua.panelgate if !gate",
    ),
    seed(
        Proxy::Haproxy,
        "h-fails-open",
        &[
            edit(
                HAPROXY,
                "    http-request deny deny_status 503 if !gate !{ var(txn.panelgate_allowed) -m bool }\n",
                "",
            ),
            edit(
                LUA,
                "answer.status == nil or answer.status < 200 then",
                "answer.status == nil or answer.status >= 500 then",
            ),
        ],
        &["D023"],
        "http-request deny deny_status 503 if !gate",
    ),
    seed(
        Proxy::Haproxy,
        "h-method-override",
        &[edit(HAPROXY, "    http-request del-header x-http-method -m beg\n", "")],
        &["D058"],
        "http-request del-header x-http-method -m beg",
    ),
    seed(
        Proxy::Haproxy,
        "h-asks-without-the-query",
        &[edit(LUA, "{ txn.sf:pathq() }", "{ txn.sf:path() }")],
        &["D041", "D060"],
        "txn.sf:pathq()",
    ),
    seed(
        Proxy::Haproxy,
        "h-always-http",
        &[edit(LUA, "{ upgrade and \"wss\" or \"https\" }", "{ upgrade and \"ws\" or \"http\" }")],
        &["D026", "D043"],
        "wss",
    ),
    seed(
        Proxy::Haproxy,
        "h-passes-cookies",
        &[edit(
            LUA,
            "local credentials = { \"cookie\", \"authorization\", \"x-api-key\" }",
            "local credentials = { \"authorization\", \"x-api-key\" }",
        )],
        &["D054"],
        "local credentials",
    ),
    seed(
        Proxy::Envoy,
        "e-fails-open",
        &[edit(ENVOY, "failure_mode_allow: false", "failure_mode_allow: true")],
        &["D023"],
        "failure_mode_allow: false",
    ),
    Seed {
        unread: true,
        ..seed(
            Proxy::Envoy,
            "e-believes-the-client",
            &[
                edit(ENVOY, "use_remote_address: true", "use_remote_address: false"),
                edit(
                    ENVOY,
                    "                          - append:\n                              header: { key: x-forwarded-for, value: \"%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%\" }\n                              append_action: OVERWRITE_IF_EXISTS_OR_ADD\n",
                    "",
                ),
            ],
            &["D010", "D014", "D027", "D030", "D057"],
            "use_remote_address: true",
        )
    },
    seed(
        Proxy::Envoy,
        "e-incomplete-upstream-headers",
        &[edit(ENVOY, "                              - exact: remote-user\n", "")],
        &["D050"],
        "- exact: remote-user",
    ),
    seed(
        Proxy::Envoy,
        "e-underscores",
        &[edit(
            ENVOY,
            "headers_with_underscores_action: REJECT_REQUEST",
            "headers_with_underscores_action: ALLOW",
        )],
        &["D052"],
        "headers_with_underscores_action: REJECT_REQUEST",
    ),
    seed(
        Proxy::Envoy,
        "e-no-upgrade-in-the-question",
        &[edit(ENVOY, "                          - { exact: upgrade, ignore_case: true }\n", "")],
        &["D045"],
        "- { exact: upgrade, ignore_case: true }",
    ),
    seed(
        Proxy::Envoy,
        "e-no-cookie-in-the-question",
        &[edit(ENVOY, "                          - { exact: cookie, ignore_case: true }\n", "")],
        &["D046"],
        "- { exact: cookie, ignore_case: true }",
    ),
    seed(
        Proxy::Envoy,
        "e-rewrites-a-prefix",
        &[edit(
            ENVOY,
            "route: { cluster: panel, timeout: 0s, idle_timeout: 600s }",
            "route: { cluster: panel, timeout: 0s, idle_timeout: 600s, prefix_rewrite: \"/app/\" }",
        )],
        &["D060"],
        "prefix_rewrite",
    ),
    seed(
        Proxy::Envoy,
        "e-method-override",
        &[edit(
            ENVOY,
            "                          - remove_on_match: { key_matcher: { prefix: \"x-http-method\" } }\n",
            "",
        )],
        &["D058"],
        "prefix: \\\"x-http-method\\\"",
    ),
    seed(
        Proxy::Envoy,
        "e-assets",
        &[edit(
            ENVOY,
            "                        # 2. Everything else",
            "                        - match: { safe_regex: { regex: \".*\\\\.(css|js|png)\" } }\n                          route: { cluster: panel }\n                          typed_per_filter_config:\n                            envoy.filters.http.ext_authz:\n                              \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute\n                              disabled: true\n                        # 2. Everything else",
        )],
        &["D021"],
        "typed_per_filter_config",
    ),
];
