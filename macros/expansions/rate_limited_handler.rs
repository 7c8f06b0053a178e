async fn export(Path(user_id): Path<u64>) -> impl IntoResponse {
    const _: ::millpond::__private::LimitMark = ::millpond::__private::LimitMark {
        limit: "in place: 5 per 3600s, sliding window",
        caller: "user_id",
    };
    let calls = [
        ::millpond::__private::LimitCall::new({
                const __LIMIT: ::millpond::Limit = ::millpond::Limit::anonymous(
                    ::millpond::limit::Algorithm::SlidingWindow,
                    ::core::module_path!(),
                    "export",
                    5u64,
                    ::core::time::Duration::from_secs(3600u64),
                );
                ::millpond::__private::catalogued! {
                    ::millpond::__private::LimitSite::new(::core::concat!(::core::module_path!(),
                    "::export (", ::core::file!(), ":", ::core::line!(), ")"),
                    "in place: 5 per 3600s, sliding window", "user_id").known(& __LIMIT)
                }
                __LIMIT
            })
            .id(&(user_id)),
    ];
    let body = ::core::pin::pin!(async move { db::export(user_id). await });
    ::millpond::__private::respond(calls, body, ::millpond::__private::responding())
        .await
}
