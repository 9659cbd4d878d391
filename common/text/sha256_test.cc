#include "common/text/sha256.h"

#include "test/support/test.h"

namespace chartly {

TEST_CASE("SHA-256 gives the digest of the standard's example") {
  CHECK(Sha256Hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace chartly
