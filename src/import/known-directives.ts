/**
 * What becomes of each directive that is not told where it is read: most need nothing here, some have no
 * counterpart and are told with what to do instead.
 */
import { isDenyAll } from "./actions.ts";
import type { Findings } from "./findings.ts";
import type { Directive } from "./nginx-grammar.ts";

/** Read elsewhere, or without a meaning that is missed here. */
const QUIET = new Set(
  [
    // Blocks and what is taken over.
    "http events server location upstream server_name listen proxy_pass proxy_set_header proxy_hide_header",
    "add_header return rewrite allow deny error_page client_max_body_size client_header_timeout satisfy",
    "client_body_timeout keepalive_timeout keepalive_requests send_timeout large_client_header_buffers",
    "proxy_connect_timeout proxy_read_timeout worker_processes worker_connections error_log set internal",
    "set_real_ip_from proxy_redirect default_type proxy_set_body proxy_method",
    // Files, told once where a location serves them.
    "root alias index try_files autoindex expires etag charset types include log_not_found open_file_cache",
    "open_file_cache_valid open_file_cache_min_uses open_file_cache_errors fastcgi_pass fastcgi_param",
    "fastcgi_index fastcgi_split_path_info fastcgi_read_timeout fastcgi_buffers fastcgi_buffer_size",
    "uwsgi_pass uwsgi_param scgi_pass grpc_pass memcached_pass stub_status empty_gif",
    // How nginx does its work.
    "user pid load_module worker_rlimit_nofile worker_priority worker_cpu_affinity",
    "daemon master_process use multi_accept accept_mutex pcre_jit thread_pool timer_resolution env",
    "sendfile sendfile_max_chunk tcp_nopush tcp_nodelay aio directio output_buffers postpone_output",
    "types_hash_max_size types_hash_bucket_size server_names_hash_bucket_size server_names_hash_max_size",
    "variables_hash_max_size variables_hash_bucket_size map_hash_bucket_size map_hash_max_size",
    "proxy_headers_hash_max_size proxy_headers_hash_bucket_size server_tokens reset_timedout_connection",
    "client_header_buffer_size client_body_buffer_size client_body_temp_path",
    "connection_pool_size request_pool_size lingering_close lingering_time lingering_timeout",
    "resolver resolver_timeout log_format open_log_file_cache rewrite_log",
    "port_in_redirect absolute_redirect msie_padding",
    "proxy_http_version proxy_buffering proxy_buffers proxy_buffer_size proxy_busy_buffers_size",
    "proxy_request_buffering proxy_temp_path proxy_max_temp_file_size proxy_temp_file_write_size",
    "proxy_pass_header proxy_socket_keepalive proxy_headers_hash",
    "proxy_cache_bypass proxy_no_cache recursive_error_pages max_ranges",
    "keepalive_disable send_lowat if_modified_since zone http2_max_concurrent_streams",
    "limit_req limit_req_zone limit_conn_zone limit_req_status limit_conn_status limit_req_log_level",
    "limit_conn_log_level auth_request_set real_ip_header real_ip_recursive map geo split_clients",
    "map_hash gzip_types gzip_vary gzip_proxied gzip_comp_level gzip_min_length",
    "gzip_buffers gzip_http_version brotli_types brotli_comp_level brotli_static gzip_static",
    "proxy_cache_key proxy_cache_valid proxy_cache_use_stale proxy_cache_methods proxy_cache_lock",
    "proxy_cache_min_uses proxy_cache_revalidate proxy_cache_background_update proxy_ignore_headers",
    "gzip brotli brotli_min_length",
    "auth_basic auth_basic_user_file auth_request auth_jwt auth_digest mirror_request_body ssl",
  ]
    .join(" ")
    .split(" "),
);

/** By directive or its beginning (with a `*`): what is different, and what to do. */
const ADVICE: readonly (readonly [string, string])[] = [
  ["access_log", "there is no access log yet; the log tells requests that failed, and /metrics counts all"],
  ["limit_req_dry_run", "a rate that is told counts"],
  [
    "limit_conn",
    "is left out; limits.clientsPerAddress bounds connections of an address, for the whole proxy",
  ],
  ["limit_rate*", "the rate of responses is not limited"],
  [
    "limit_except",
    "methods are not looked at here; write methods: [GET] in the route, and deny in one without",
  ],
  [
    "if",
    "this condition is not carried over; write routes with methods, headers, query or cookies, or a hook",
  ],
  ["proxy_send_timeout", "has no counterpart and is left out"],
  [
    "proxy_next_upstream*",
    "requests are repeated where nothing was said to the client and that is safe, and only then",
  ],
  ["proxy_cache", "responses are not cached"],
  ["proxy_cache_path", "responses are not cached"],
  ["proxy_store*", "responses are not stored"],
  ["proxy_bind", "the source address of backend connections cannot be chosen"],
  ["proxy_limit_rate", "the rate of responses is not limited"],
  ["proxy_cookie_domain", "cookies of responses are not rewritten; a hook can do that"],
  ["proxy_cookie_path", "cookies of responses are not rewritten; a hook can do that"],
  ["proxy_cookie_flags", "cookies of responses are not rewritten; a hook can do that"],
  [
    "proxy_intercept_errors",
    "errors of backends pass as they are; errorPages are of the proxy's own answers",
  ],
  ["proxy_ignore_client_abort", "a request whose client leaves is given up"],
  ["mirror", "is not taken over; write mirror: NAME, of a cluster, in the route"],
  ["keepalive_time", "has no counterpart: a client's connection may be used for as long as it likes"],
  ["worker_shutdown_timeout", "is not taken over; write drainTimeout"],
  ["client_body_in_file_only", "bodies are not written to files"],
  ["server_name_in_redirect", "redirects keep the host that was asked for"],
  ["gzip_disable", "browsers are not told apart: compression goes by Accept-Encoding alone"],
  ["http2", "HTTP/2 is not there yet; HTTP/1.1 is spoken"],
  ["proxy_ssl*", "TLS to backends is not there yet"],
  ["sub_filter*", "bodies of responses are not changed"],
  ["add_trailer", "trailers are not added"],
  ["secure_link*", "links are not checked"],
  ["valid_referers", "Referer is not looked at; write a condition under headers"],
  ["underscores_in_headers", "is not taken over: policy.underscoreNames says what becomes of them"],
  ["merge_slashes", "paths are compared and passed on as clients send them, whatever this says"],
  ["js_*", "njs is not run; write a hook"],
  ["perl*", "Perl is not run; write a hook"],
  ["stream", "connections without HTTP need a configuration of their own, with mode: tcp"],
  ["mail", "mail is not spoken"],
  ["geoip*", "addresses are not looked up"],
];

/** On where nothing is said, and told of where it is `off`. */
const ADVICE_OFF: ReadonlyMap<string, string> = new Map([
  ["ignore_invalid_headers", "requests whose field names are not valid are refused (400)"],
  ["chunked_transfer_encoding", "responses without a length are chunked for every client of HTTP/1.1"],
  ["proxy_pass_request_body", "bodies of requests always pass"],
  ["proxy_pass_request_headers", "fields of requests always pass, but for those under requestHeaders.remove"],
]);

/** Of these nothing is told: certificates and what belongs to them, where TLS is told of already. */
const TLS = /^(?:ssl_|http2_|http3|quic_)/;

/** Tells of everything in `directives` that is not read elsewhere, but for what is within `skipped`. */
export function adviseOn(
  directives: readonly Directive[],
  skipped: ReadonlySet<Directive>,
  findings: Findings,
): void {
  for (const directive of directives) {
    if (skipped.has(directive)) continue;
    const { name, block, words } = directive;
    const advice = ADVICE.find(([each]) =>
      each.endsWith("*") ? name.startsWith(each.slice(0, -1)) : name === each,
    );
    const isOff = words[0] === "off";
    const offAdvice = isOff ? ADVICE_OFF.get(name) : undefined;
    if (offAdvice !== undefined) findings.warn(directive, offAdvice);
    if (advice !== undefined) {
      const isDone = isOff || (name === "limit_except" && isDenyAll(directive));
      if (!isDone) findings.warn(directive, advice[1], advice[0] === "if" ? undefined : name);
    } else if (name === "ssl_verify_client" && !isOff)
      findings.warn(directive, "clients need no certificate here: let what ends TLS in front ask for it");
    else if (!QUIET.has(name) && !ADVICE_OFF.has(name) && !TLS.test(name))
      findings.warn(directive, "is not known here and is left out", `unknown ${name}`);
    // What these hold is no directive, or is told of as a whole.
    if (
      block !== null &&
      !["map", "geo", "split_clients", "types", "upstream", "if", "limit_except", "stream", "mail"].includes(
        name,
      )
    )
      adviseOn(block, skipped, findings);
  }
}
