async fn rename(user_id: u64, name: &str) -> Result<User, DbError> {
    let mut slots = ::millpond::__private::Slots::new({
        use ::millpond::__private::probe::*;
        (&&&&::millpond::__private::Probe::<Result<User, DbError>>::new()).outcome()
    });
    slots.add(<get_user>::entry(user_id).slot());
    let body = ::core::pin::pin!(
        async move { if let ::core::option::Option::Some(edge) = ::core::option::Option::
        < Result < User, DbError > > ::None { return edge; } db::rename(user_id, name).
        await }
    );
    ::millpond::__private::updating(slots, body).await
}
