impl Repo {
    async fn get_user(&self, user_id: u64) -> Option<User> {
        let call = {
            let site = const {
                &::millpond::__private::Site::new(
                    ::core::concat!(
                        ::core::module_path!(), "::get_user:", ::core::line!(), ":",
                        ::core::column!()
                    ),
                    "user",
                    "<self.tenant>:<user_id>",
                    ::core::time::Duration::from_secs(300u64),
                )
            };
            let key = {
                let mut writer = ::millpond::__private::KeyWriter::new(site);
                writer.part(&self.tenant);
                writer.literal(":");
                writer.part::<u64>(&user_id);
                writer.finish()
            };
            ::millpond::__private::Call::new(site, key)
                .on(::core::borrow::Borrow::<::millpond::Millpond>::borrow(&(self.pond)))
        };
        let body = ::core::pin::pin!(
            async move { if let ::core::option::Option::Some(edge) =
            ::core::option::Option:: < Option < User > > ::None { return edge; } self.db
            .find(user_id). await }
        );
        ::millpond::__private::cached(
                call,
                {
                    use ::millpond::__private::probe::*;
                    (&&&&::millpond::__private::Probe::<Option<User>>::new()).shape()
                },
                ::millpond::__private::never,
                body,
            )
            .await
    }
    ///The cache entry of `get_user` with these arguments.
    fn get_user_entry(&self, user_id: u64) -> ::millpond::Entry<Option<User>> {
        ::millpond::__private::entry({
            let site = const {
                &::millpond::__private::Site::new(
                    ::core::concat!(
                        ::core::module_path!(), "::get_user:", ::core::line!(), ":",
                        ::core::column!()
                    ),
                    "user",
                    "<self.tenant>:<user_id>",
                    ::core::time::Duration::from_secs(300u64),
                )
            };
            let key = {
                let mut writer = ::millpond::__private::KeyWriter::new(site);
                writer.part(&self.tenant);
                writer.literal(":");
                writer.part::<u64>(&user_id);
                writer.finish()
            };
            ::millpond::__private::Call::new(site, key)
                .on(::core::borrow::Borrow::<::millpond::Millpond>::borrow(&(self.pond)))
        })
    }
}
