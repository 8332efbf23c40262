//! The recipes under `deploy/`, each on its real proxy, all through the same table.
//!
//! A proxy that is not installed is a failure, never a skip: `scripts/setup.sh test` installs all five.

mod outage;
pub(crate) mod recipe;
mod renewal;
mod stack;
mod table;

use self::recipe::Proxy;

/// One module for each proxy, one test for each row of the table.
macro_rules! on_every_proxy {
    ($($row:ident),+ $(,)?) => {
        on_every_proxy!(@ nginx Nginx: $($row),+);
        on_every_proxy!(@ caddy Caddy: $($row),+);
        on_every_proxy!(@ traefik Traefik: $($row),+);
        on_every_proxy!(@ haproxy Haproxy: $($row),+);
        on_every_proxy!(@ envoy Envoy: $($row),+);
    };
    (@ $module:ident $proxy:ident: $($row:ident),+) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $row() {
                    super::table::$row(&super::stack::front(super::Proxy::$proxy)).await;
                }
            )+
        }
    };
}

on_every_proxy![
    a_signed_in_user_reaches_the_panel,
    a_visitor_is_sent_to_the_sign_in_page,
    a_background_request_gets_401_as_a_problem,
    a_blocked_page_redirects_to_step_up,
    a_readable_page_lets_get_pass_and_post_not,
    after_the_second_factor_post_passes,
    what_a_role_lacks_is_denied,
    a_forged_identity_reaches_nobody,
    forwarded_headers_of_the_client_are_not_believed,
    connection_cannot_name_an_identity_header_away,
    too_many_requests_get_429_with_retry_after,
    a_websocket_echoes,
    a_websocket_counts_as_a_change,
    an_event_stream_arrives_as_it_is_sent,
    large_cookies_pass,
    headers_sent_twice_do_no_harm,
    http2_with_split_cookies_passes,
    the_session_is_renewed_and_the_new_token_counts,
    ambiguous_paths_open_nothing,
    the_gates_cookies_stay_at_the_gate,
    the_panels_own_credentials_pass_unchanged,
    the_gates_own_bearer_tokens_stay_at_the_gate,
    an_api_key_opens_its_pages_and_stays_at_the_gate,
    a_key_that_is_not_alone_or_not_ours_opens_nothing,
    an_upload_arrives_whole,
    the_panels_own_refusals_pass_unchanged,
    the_gates_pages_are_served,
    plain_http_redirects_to_https,
];
