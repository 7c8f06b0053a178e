async fn rename(user_id: u64, name: &str) -> Result<User, DbError> {
    ::millpond::__private::catalogued! {
        { const TARGETS : & [::millpond::__private::MutationTarget] = &
        [::millpond::__private::MutationTarget::updates("get_user(user_id)").companion::
        < get_user > ()];
        ::millpond::__private::MutationSite::new(::core::concat!(::core::module_path!(),
        "::rename (", ::core::file!(), ":", ::core::line!(), ")"), TARGETS) }
    }
    let mut entries = ::millpond::__private::EntryRefs::new({
        use ::millpond::__private::kinds::*;
        (&&&&&&::millpond::__private::ReturnType::<Result<User, DbError>>::new())
            .mutation_kind()
    });
    <get_user>::entry(user_id).entry_ref().add_to(&mut entries);
    let body = ::core::pin::pin!(
        async move { if let ::core::option::Option::Some(edge) = ::core::option::Option::
        < Result < User, DbError > > ::None { return edge; } db::rename(user_id, name).
        await }
    );
    ::millpond::__private::updating(entries, body).await
}
