/** KeyID bits at the top of the 52-bit physical address. */
export const KEYID_BITS = 6;
export const PHYSICAL_ADDRESS_BITS = 52;
/** First bit of the KeyID in an architectural physical address. */
export const KEYID_SHIFT = PHYSICAL_ADDRESS_BITS - KEYID_BITS;
