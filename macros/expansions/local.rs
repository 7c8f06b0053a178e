fn prices(country: &str) -> Arc<Prices> {
    let kind = {
        use ::millpond::__private::kinds::*;
        (&&&&&&::millpond::__private::ReturnType::<Arc<Prices>>::new()).kind()
    };
    let form = {
        use ::millpond::__private::forms::*;
        let local = ::millpond::__private::local_type(kind);
        (&&&&local).form().sized((&&local).bytes())
    };
    let number = prices::number();
    let function = prices::function();
    let when: bool = true;
    let call = {
        let place = ::millpond::__private::LocalPlace::only(
            number,
            ::core::option::Option::None,
        );
        let looked = place
            .look(
                ::millpond::__private::ShortKey::new(function)
                    .of::<&str>()
                    .part(&country),
                when,
                kind,
                form,
            );
        if let ::millpond::__private::Looked::Hit(returned) = looked {
            return returned;
        }
        let mut key = ::millpond::__private::KeyWriter::on_scratch(function);
        key.of::<&str>().part(&country);
        let hit = looked.or_under(place, &mut key, kind, form);
        if let ::core::option::Option::Some(returned) = hit {
            return returned;
        }
        ::millpond::__private::LocalCall::new(function, number, key.finish())
    };
    let rules = ::millpond::__private::LocalRules::new(
        kind,
        form,
        ::millpond::__private::never,
    );
    ::millpond::__private::kept_here(
        call,
        rules,
        move || -> Arc<Prices> { Prices::read(country) },
    )
}
#[doc(hidden)]
enum prices {}
impl prices {
    ///The cache entry of `prices` with these arguments.
    fn entry(country: &str) -> ::millpond::LocalEntry<Arc<Prices>> {
        {
            ::millpond::__private::local_entry(
                {
                    let function = prices::function();
                    let key = {
                        let mut writer = ::millpond::__private::KeyWriter::new(function);
                        writer.of::<&str>().part(&country);
                        writer.finish()
                    };
                    ::millpond::__private::LocalCall::new(
                        function,
                        prices::number(),
                        key,
                    )
                },
                {
                    use ::millpond::__private::forms::*;
                    let local = ::millpond::__private::any_local_type({
                        use ::millpond::__private::kinds::*;
                        (&&&&&&::millpond::__private::ReturnType::<Arc<Prices>>::new())
                            .kind_unshared()
                    });
                    (&&&&local).form().sized((&&local).bytes())
                },
            )
        }
    }
    ///Removes the entry.
    fn invalidate(country: &str) -> ::millpond::LocalInvalidation {
        ::millpond::__private::invalidate_local(Self::entry(country))
    }
    #[doc(hidden)]
    #[inline]
    fn number() -> &'static ::millpond::__private::FunctionNumber {
        {
            static NUMBER: ::millpond::__private::FunctionNumber = ::millpond::__private::FunctionNumber::new();
            &NUMBER
        }
    }
    #[doc(hidden)]
    fn function() -> &'static ::millpond::__private::CachedFunction {
        {
            static CACHED_FUNCTION: ::millpond::__private::CachedFunction = ::millpond::__private::CachedFunction::new(
                    ::core::concat!(
                        ::core::module_path!(), "::prices (", ::core::file!(), ":",
                        ::core::line!(), ")"
                    ),
                    "prices",
                    "<country>",
                    ::core::time::Duration::from_secs(300u64),
                )
                .local_only();
            ::millpond::__private::catalogued! {
                ::millpond::__private::FunctionSite::known(& CACHED_FUNCTION,
                "Arc<Prices>").companion:: < prices > ().value(|| { use
                ::millpond::__private::kinds:: *; ::millpond::__private::value_name((&&
                && ::millpond::__private::ReturnType:: < Arc < Prices > > ::new())
                .mutation_kind()) })
            }
            &CACHED_FUNCTION
        }
    }
    #[doc(hidden)]
    #[inline]
    fn returns() -> ::millpond::__private::ReturnType<Arc<Prices>> {
        ::millpond::__private::ReturnType::new()
    }
}
#[doc(hidden)]
macro_rules! __invalidate_prices_0000000000000000 {
    ($($argument:expr),* $(,)?) => {
        < invalidate_prices > ::invalidate($($argument),*)
    };
}
#[doc(hidden)]
use __invalidate_prices_0000000000000000 as invalidate_prices;
#[doc(hidden)]
type invalidate_prices = prices;
