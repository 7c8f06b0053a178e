/// Looks a user up.
pub async fn get_user(user_id: u64) -> Result<Option<User>, DbError> {
    let call = {
        let site = const {
            &::millpond::__private::Site::new(
                ::core::concat!(
                    ::core::module_path!(), "::get_user:", ::core::line!(), ":",
                    ::core::column!()
                ),
                "user",
                "<user_id>:profile",
                ::core::time::Duration::from_secs(3600u64),
            )
        };
        let key = {
            let mut writer = ::millpond::__private::KeyWriter::new(site);
            writer.part::<u64>(&user_id);
            writer.literal(":profile");
            writer.finish()
        };
        ::millpond::__private::Call::new(site, key)
    };
    let body = ::core::pin::pin!(
        async move { if let ::core::option::Option::Some(edge) = ::core::option::Option::
        < Result < Option < User >, DbError > > ::None { return edge; } db::find(user_id)
        . await }
    );
    ::millpond::__private::cached(
            call,
            {
                use ::millpond::__private::probe::*;
                (&&&&::millpond::__private::Probe::<
                    Result<Option<User>, DbError>,
                >::new())
                    .shape()
            },
            ::millpond::__private::never,
            body,
        )
        .await
}
#[doc(hidden)]
pub enum get_user {}
impl get_user {
    ///The cache entry of `get_user` with these arguments.
    pub fn entry(user_id: u64) -> ::millpond::Entry<Result<Option<User>, DbError>> {
        ::millpond::__private::entry({
            let site = const {
                &::millpond::__private::Site::new(
                    ::core::concat!(
                        ::core::module_path!(), "::get_user:", ::core::line!(), ":",
                        ::core::column!()
                    ),
                    "user",
                    "<user_id>:profile",
                    ::core::time::Duration::from_secs(3600u64),
                )
            };
            let key = {
                let mut writer = ::millpond::__private::KeyWriter::new(site);
                writer.part::<u64>(&user_id);
                writer.literal(":profile");
                writer.finish()
            };
            ::millpond::__private::Call::new(site, key)
        })
    }
    ///Removes the entry, here and in Redis.
    pub fn invalidate(user_id: u64) -> ::millpond::Invalidation {
        ::millpond::__private::invalidate(Self::entry(user_id))
    }
    ///Runs the function and stores what it returns, whatever is cached.
    pub async fn refresh(user_id: u64) -> Result<Option<User>, DbError> {
        ::millpond::__private::refreshed(
                ::core::concat!(
                    ::core::module_path!(), "::get_user:", ::core::line!(), ":",
                    ::core::column!()
                ),
                get_user(user_id),
            )
            .await
    }
    ///Runs the function, and leaves what is cached as it is.
    pub async fn uncached(user_id: u64) -> Result<Option<User>, DbError> {
        ::millpond::__private::uncached(
                ::core::concat!(
                    ::core::module_path!(), "::get_user:", ::core::line!(), ":",
                    ::core::column!()
                ),
                get_user(user_id),
            )
            .await
    }
}
#[doc(hidden)]
#[macro_export]
macro_rules! __invalidate_user_0000000000000000 {
    ($($argument:expr),* $(,)?) => {
        invalidate_user::invalidate($($argument),*)
    };
}
#[doc(hidden)]
pub use __invalidate_user_0000000000000000 as invalidate_user;
#[doc(hidden)]
pub type invalidate_user = get_user;
