// Picks the rows of an XML document while it passes, and keeps what stands around them for paths with ^.
//
// Kept at a time: one row, 8 MiB; and of each element around it the attributes and those inner elements that were
// asked for and stand before the row, together 1 MiB an element. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_XML_ROWS_H_
#define CHARTLY_DRONE_DECODE_XML_ROWS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "drone/decode/xml_parser.h"
#include "drone/decode/xml_path.h"
#include "drone/decode/xml_tree.h"

namespace chartly::drone {

// Which elements are rows. Every element whose way from the root fits `records` is one; the steps with [*] in front of
// the last are the levels of ^, the root the outermost. Without steps the root is the row.
struct XmlPlan {
  std::vector<XmlStep> records;
  // For each level, the root first: local names of the elements to keep that stand in it or in an element on the way
  // to the next level.
  std::vector<std::vector<std::string>> kept;

  size_t outer_levels() const;  // how many elements stand around a row and can be seen from it
  // Keeps what `path` needs, a path as seen from a row.
  void KeepFor(const XmlPath& path);
};

class XmlRows;

class XmlRowHandler {
 public:
  virtual ~XmlRowHandler() = default;
  // Chooses by the root element. Requires: the plan outlives the document.
  virtual absl::StatusOr<const XmlPlan*> PlanFor(const XmlName& root) = 0;
  virtual absl::Status OnRow(const XmlRows& rows) = 0;
  // The last sight of what the outermost level keeps, before some or all of it goes.
  virtual void OnOuterEnd(const XmlTree& root) = 0;
};

class XmlRows final : public XmlHandler {
 public:
  // Requires: the handler outlives this.
  explicit XmlRows(XmlRowHandler& handler) : handler_(handler) {}

  // Reads one document; errors are those of XmlParser::Parse and of the handler, and PAYLOAD_NO_RECORDS if an element
  // on the way to the rows is nowhere, PAYLOAD_ROW_TOO_LARGE, PAYLOAD_OUTER_TOO_LARGE.
  absl::Status Read(Body& body, XmlUris& uris);

  // While the handler is called: the row (0) or the element that many levels around it; null if there is none.
  const XmlTree* Level(size_t up) const;
  std::string Source() const { return parser_->Marked(); }  // of the row

  absl::Status OnStart(const XmlName& name, XmlAttributes attributes) override;
  absl::Status OnEnd() override;
  absl::Status OnText(absl::string_view text) override;

 private:
  bool OnTheWay(const XmlName& name, XmlAttributes attributes) const;
  absl::Status Enter(const XmlName& name, XmlAttributes attributes);
  absl::Status Leave();
  absl::Status CheckSize() const;
  absl::Status CheckFound() const;
  bool OpensLevel() const { return on_way_ <= 1 || plan_->records[on_way_ - 2].each; }
  XmlTree& Outer() { return outer_[levels_ - 1]; }

  XmlRowHandler& handler_;
  XmlParser* parser_ = nullptr;
  const XmlPlan* plan_ = nullptr;
  size_t depth_ = 0;         // open elements
  size_t on_way_ = 0;        // of them, from the root, those on the way to a row
  size_t furthest_way_ = 0;  // the largest that was
  bool in_row_ = false;
  bool keeps_ = false;  // the element beside the way
  std::string root_name_;
  XmlTree row_;
  std::vector<XmlTree> outer_;
  size_t levels_ = 0;  // of outer_, those that are open
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_XML_ROWS_H_
