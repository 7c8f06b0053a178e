pub fn org(org_id: OrgId) -> Tag {
    ::millpond::__private::catalogued! {
        ::millpond::__private::TagSite::new:: < org >
        (::core::concat!(::core::module_path!(), "::org (", ::core::file!(), ":",
        ::core::line!(), ")"), "org:<org_id>")
    }
    ::millpond::Tag::from({
        let mut writer = ::millpond::__private::KeyWriter::tag();
        writer.literal("org:");
        writer.part::<OrgId>(&org_id);
        writer.finish()
    })
}
#[doc(hidden)]
pub enum org {}
impl org {
    #[doc(hidden)]
    pub fn entry(org_id: OrgId) -> ::millpond::Tag {
        org(org_id)
    }
    ///Invalidates every value that was stored under this tag.
    pub fn invalidate(org_id: OrgId) -> ::millpond::Invalidation {
        ::millpond::__private::invalidate_tag(&org(org_id))
    }
}
