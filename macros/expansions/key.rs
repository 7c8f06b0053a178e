fn main() {
    let key = {
        let mut writer = ::millpond::__private::KeyWriter::bare("user");
        writer.part(&user_id);
        writer.literal(":");
        writer.optional(&page);
        writer.finish()
    };
}
