/// Looks a user up.
pub async fn get_user(user_id: u64) -> Result<Option<User>, DbError> {
    {
        let function = get_user::function();
        let kind = {
            use ::millpond::__private::kinds::*;
            (&&&&&&::millpond::__private::ReturnType::<
                Result<Option<User>, DbError>,
            >::new())
                .kind()
        };
        let (kind, unless) = {
            use ::millpond::__private::kinds::*;
            (&&&&::millpond::__private::Part::<
                User,
                _,
            >::new(kind, ::millpond::__private::never))
                .checked()
        };
        let cacheable = ::millpond::__private::cacheable(kind);
        let when: bool = true;
        let call = {
            if let ::core::option::Option::Some(peek) = ::millpond::__private::Peek::at(
                ::core::option::Option::None,
                when,
            ) {
                let found = peek
                    .look(
                        function,
                        ::millpond::__private::ShortKey::new(function)
                            .of::<u64>()
                            .part(&user_id)
                            .literal(":profile"),
                        &cacheable,
                    );
                if let ::core::option::Option::Some(returned) = found {
                    return returned;
                }
            }
            ::millpond::__private::Call::new(
                function,
                {
                    let mut writer = ::millpond::__private::KeyWriter::new(function);
                    writer.of::<u64>().part(&user_id);
                    writer.literal(":profile");
                    writer.finish()
                },
            )
        };
        ::millpond::__private::cached(
            call,
            cacheable,
            unless,
            async move {
                if let ::core::option::Option::Some(edge) = ::core::option::Option::<
                    Result<Option<User>, DbError>,
                >::None {
                    return edge;
                }
                db::find(user_id).await
            },
        )
    }
        .await
}
#[doc(hidden)]
pub enum get_user {}
impl get_user {
    ///The cache entry of `get_user` with these arguments.
    pub fn entry(user_id: u64) -> ::millpond::Entry<Result<Option<User>, DbError>> {
        ::millpond::__private::entry({
            let function = get_user::function();
            {
                ::millpond::__private::Call::new(
                    function,
                    {
                        let mut writer = ::millpond::__private::KeyWriter::new(function);
                        writer.of::<u64>().part(&user_id);
                        writer.literal(":profile");
                        writer.finish()
                    },
                )
            }
        })
    }
    ///Removes the entry, here and in Redis.
    pub fn invalidate(user_id: u64) -> ::millpond::Invalidation {
        ::millpond::__private::invalidate(Self::entry(user_id))
    }
    #[doc(hidden)]
    pub fn function() -> &'static ::millpond::__private::CachedFunction {
        {
            static CACHED_FUNCTION: ::millpond::__private::CachedFunction = ::millpond::__private::CachedFunction::new(
                ::core::concat!(
                    ::core::module_path!(), "::get_user (", ::core::file!(), ":",
                    ::core::line!(), ")"
                ),
                "user",
                "<user_id>:profile",
                ::core::time::Duration::from_secs(3600u64),
            );
            ::millpond::__private::catalogued! {
                ::millpond::__private::FunctionSite::known(& CACHED_FUNCTION,
                "Result<Option<User>, DbError>").companion:: < get_user > ().value(|| {
                use ::millpond::__private::kinds:: *;
                ::millpond::__private::value_name((&& &&
                ::millpond::__private::ReturnType:: < Result < Option < User >, DbError >
                > ::new()).mutation_kind()) })
            }
            &CACHED_FUNCTION
        }
    }
    #[doc(hidden)]
    #[inline]
    pub fn returns() -> ::millpond::__private::ReturnType<
        Result<Option<User>, DbError>,
    > {
        ::millpond::__private::ReturnType::new()
    }
}
#[doc(hidden)]
#[macro_export]
macro_rules! __invalidate_user_0000000000000000 {
    ($($argument:expr),* $(,)?) => {
        < invalidate_user > ::invalidate($($argument),*)
    };
}
#[doc(hidden)]
pub use __invalidate_user_0000000000000000 as invalidate_user;
#[doc(hidden)]
pub type invalidate_user = get_user;
