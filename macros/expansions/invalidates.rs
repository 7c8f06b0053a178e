async fn rename(user_id: u64, name: &str) -> Result<User, DbError> {
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
