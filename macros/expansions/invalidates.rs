async fn rename(user_id: u64, name: &str) -> Result<User, DbError> {
    ::millpond::__private::catalogued! {
        { const TARGETS : & [::millpond::__private::MutationTarget] = &
        [::millpond::__private::MutationTarget::invalidates("get_user(user_id)")
        .companion:: < get_user > (),
        ::millpond::__private::MutationTarget::invalidates("get_org(output.org)")
        .companion:: < get_org > ()];
        ::millpond::__private::MutationSite::new(::core::concat!(::core::module_path!(),
        "::rename (", ::core::file!(), ":", ::core::line!(), ")"), TARGETS) }
    }
    let mut targets = ::millpond::__private::Targets::new();
    targets.add(<get_user>::entry(user_id));
    let body = ::core::pin::pin!(
        async move { if let ::core::option::Option::Some(edge) = ::core::option::Option::
        < Result < User, DbError > > ::None { return edge; } db::rename(user_id, name).
        await }
    );
    ::millpond::__private::invalidating(
            targets,
            {
                use ::millpond::__private::kinds::*;
                (&&&&&&::millpond::__private::ReturnType::<Result<User, DbError>>::new())
                    .mutation_kind()
            },
            |output, targets| {
                targets.add(<get_org>::entry(output.org));
            },
            body,
        )
        .await
}
