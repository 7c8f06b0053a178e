async fn generate(user_id: &str, prompts: Vec<String>) -> Result<Vec<Image>, ApiError> {
    const _: ::millpond::__private::LimitMark = ::millpond::__private::LimitMark {
        limit: "millpond::limit::GENERATION",
        caller: "user_id",
    };
    let calls = [
        ::millpond::__private::LimitCall::new({
                const __LIMIT: ::millpond::Limit = ::millpond::limit::GENERATION;
                ::millpond::__private::catalogued! {
                    ::millpond::__private::LimitSite::new(::core::concat!(::core::module_path!(),
                    "::generate (", ::core::file!(), ":", ::core::line!(), ")"),
                    "millpond::limit::GENERATION", "user_id").known(& __LIMIT)
                }
                __LIMIT
            })
            .id(&(user_id))
            .cost(prompts.len()),
    ];
    if let ::core::result::Result::Err(refusal) = ::millpond::__private::admit(calls)
        .await
    {
        return <Result<
            Vec<Image>,
            ApiError,
        > as ::millpond::__private::Refuse>::refuse(refusal);
    }
    { model::run(prompts).await }
}
