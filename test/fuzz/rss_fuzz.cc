#include "test/fuzz/decode_twice.h"

namespace chartly {

FUZZ_TARGET(rss) {
  SourceConfig source;
  source.format = Format::kRss;
  fuzz::DecodeTwice(source, {"title", "link", "id", "published", "summary", "author"}, input);
}

}  // namespace chartly
