impl Repo {
    async fn get_user(&self, user_id: u64) -> Option<User> {
        {
            let owner = ::core::any::type_name::<Self>();
            let call = {
                let function = Self::__get_user_entry_function();
                match &(self.pond) {
                    pond => {
                        let pond: &::millpond::Millpond = pond;
                        ::millpond::__private::Call::new(
                                function,
                                {
                                    let mut writer = ::millpond::__private::KeyWriter::new(
                                        function,
                                    );
                                    writer.part(&self.tenant);
                                    writer.literal(":");
                                    writer.of::<u64>().part(&user_id);
                                    writer.finish()
                                },
                            )
                            .on(pond)
                    }
                }
            }
                .of(owner);
            let kind = {
                use ::millpond::__private::kinds::*;
                (&&&&&&::millpond::__private::ReturnType::<Option<User>>::new()).kind()
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
            ::millpond::__private::cached(
                call,
                cacheable,
                unless,
                async move {
                    if let ::core::option::Option::Some(edge) = ::core::option::Option::<
                        Option<User>,
                    >::None {
                        return edge;
                    }
                    self.db.find(user_id).await
                },
            )
        }
            .await
    }
    ///The cache entry of `get_user` with these arguments.
    fn get_user_entry(&self, user_id: u64) -> ::millpond::Entry<Option<User>> {
        ::millpond::__private::entry({
            let function = Self::__get_user_entry_function();
            match &(self.pond) {
                pond => {
                    let pond: &::millpond::Millpond = pond;
                    ::millpond::__private::Call::new(
                            function,
                            {
                                let mut writer = ::millpond::__private::KeyWriter::new(
                                    function,
                                );
                                writer.part(&self.tenant);
                                writer.literal(":");
                                writer.of::<u64>().part(&user_id);
                                writer.finish()
                            },
                        )
                        .on(pond)
                }
            }
        })
    }
    #[doc(hidden)]
    fn __get_user_entry_function() -> &'static ::millpond::__private::CachedFunction {
        {
            static CACHED_FUNCTION: ::millpond::__private::CachedFunction = ::millpond::__private::CachedFunction::new(
                ::core::concat!(
                    ::core::module_path!(), "::get_user (", ::core::file!(), ":",
                    ::core::line!(), ")"
                ),
                "user",
                "<self.tenant>:<user_id>",
                ::core::time::Duration::from_secs(300u64),
            );
            ::millpond::__private::catalogued! {
                ::millpond::__private::FunctionSite::known(& CACHED_FUNCTION,
                "Option<User>").method("get_user_entry").on("self.pond")
            }
            &CACHED_FUNCTION
        }
    }
    #[doc(hidden)]
    #[inline]
    fn __get_user_entry_returns() -> ::millpond::__private::ReturnType<Option<User>> {
        ::millpond::__private::ReturnType::new()
    }
}
