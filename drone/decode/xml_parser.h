// Reads XML 1.0 with namespaces, in UTF-8, as a stream of events. The only place that sees expat.
//
// Nothing outside of the document is ever read: a DOCTYPE that names an external subset is passed over, and a reference
// to an external or unknown entity is refused, since what it stands for would be missing from the data. Entities of the
// internal subset are replaced within bounds. Bounds of all documents: depth 1024, 2 MiB for a tag, comment or
// instruction, 16 MiB for what the parser keeps (names, entities), no more than sixteen times the size of the document
// from entities. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_XML_PARSER_H_
#define CHARTLY_DRONE_DECODE_XML_PARSER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "drone/decode/body.h"
#include "drone/decode/xml_name.h"

namespace chartly::drone {

// One of a start tag. The name is as the parser has it, with its namespace.
struct XmlAttribute {
  const char* full_name;
  absl::string_view value;
};

// The attributes of a start tag, those that declare namespaces left out.
class XmlAttributes {
 public:
  XmlAttributes(const std::vector<XmlAttribute>& all, XmlUris& uris)
      : at_(all.data()), end_(all.data() + all.size()), uris_(uris) {}

  bool AtEnd() const { return at_ == end_; }
  void Next() { ++at_; }
  XmlName name() const;
  absl::string_view value() const { return at_->value; }

 private:
  const XmlAttribute* at_;
  const XmlAttribute* end_;
  XmlUris& uris_;
};

// Takes what the parser finds; views live until the call returns. A status other than OK ends the parse, which returns
// it.
class XmlHandler {
 public:
  virtual ~XmlHandler() = default;
  virtual absl::Status OnStart(const XmlName& name, XmlAttributes attributes) = 0;
  virtual absl::Status OnEnd() = 0;
  // A text may come in several pieces. CDATA is text.
  virtual absl::Status OnText(absl::string_view text) = 0;
};

class XmlParser {
 public:
  // Requires: both outlive this.
  XmlParser(XmlHandler& handler, XmlUris& uris);
  ~XmlParser();
  XmlParser(const XmlParser&) = delete;
  XmlParser& operator=(const XmlParser&) = delete;

  // Reads one document; once. InvalidArgument with where: PAYLOAD_NOT_XML, PAYLOAD_TRUNCATED, PAYLOAD_TOO_DEEP,
  // PAYLOAD_TOKEN_TOO_LARGE, PAYLOAD_TOO_COMPLEX, PAYLOAD_HAS_EXTERNAL_ENTITY, PAYLOAD_ENTITY_BOMB.
  absl::Status Parse(Body& body);

  // The source text from the event in whose call this is made; kept until the next mark or Unmark. Past 8 MiB the
  // parse ends with PAYLOAD_ROW_TOO_LARGE.
  void Mark();
  void Unmark();
  // From the mark to the end of the event in whose call this is made, without blanks at its end.
  std::string Marked() const;

 private:
  struct Expat;  // keeps expat out of the header

  std::unique_ptr<Expat> expat_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_XML_PARSER_H_
