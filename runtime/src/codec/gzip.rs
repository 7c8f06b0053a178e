//! Compression of values: one gzip member, which every language opens.

#[cfg(feature = "compress")]
pub(crate) use with_feature::{pack, unpack};
#[cfg(not(feature = "compress"))]
pub(crate) use without_feature::{pack, unpack};

#[cfg(feature = "compress")]
mod with_feature {
    use flate2::Compression;
    use flate2::bufread::{GzDecoder, GzEncoder};
    use std::io::Read;

    /// The compressed form; the same for the same bytes.
    pub(crate) fn pack(plain: &[u8]) -> Option<Vec<u8>> {
        let mut packed = Vec::with_capacity(plain.len() / 4);
        GzEncoder::new(plain, Compression::default())
            .read_to_end(&mut packed)
            .ok()?;
        Some(packed)
    }

    /// The bytes that were compressed, if they are at most so many.
    pub(crate) fn unpack(packed: &[u8], most: usize) -> Result<Vec<u8>, String> {
        let one_more = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let mut reader = GzDecoder::new(packed).take(one_more);
        let mut plain = Vec::new();
        let read = reader.read_to_end(&mut plain);
        if plain.len() > most {
            return Err(format!("compressed, and over {most} bytes when unpacked"));
        }
        let rest = reader.into_inner().into_inner();
        if read.is_err() || !rest.is_empty() {
            return Err("compressed, and damaged".to_owned());
        }
        Ok(plain)
    }
}

#[cfg(not(feature = "compress"))]
mod without_feature {
    pub(crate) fn pack(_plain: &[u8]) -> Option<Vec<u8>> {
        None
    }

    pub(crate) fn unpack(_packed: &[u8], _most: usize) -> Result<Vec<u8>, String> {
        Err("compressed, and this build of millpond lacks the feature `compress`".to_owned())
    }
}
