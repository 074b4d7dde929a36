#include "core/mail/part_header.h"

#include <algorithm>
#include <array>

#include "core/base/ascii.h"
#include "core/mail/address.h"
#include "core/mail/date.h"
#include "core/mail/header.h"
#include "core/mail/parameters.h"
#include "core/mail/structured.h"
#include "core/mail/transfer_encoding.h"

namespace twinpost::mail {

namespace {

class PartHeaderReader {
 public:
  PartHeaderReader(const MessageLimits& limits, Allowance& allowance, const HeaderTargets& targets,
                   DefectBits& defects)
      : limits_(limits),
        allowance_(allowance),
        targets_(targets),
        part_(targets.part),
        defects_(defects) {}

  void read(std::string_view block, std::uint64_t begin) {
    if (targets_.in_digest) set_type("message", "rfc822");
    if (block.size() > limits_.header_octets) {
      add_defect(defects_, Defect::kHeaderTooLong);
      block = block.substr(0, limits_.header_octets);
    }
    if (!ascii::is_utf8(block)) add_defect(defects_, Defect::kUnencoded8Bit);
    HeaderReader reader(block);
    unsigned count = 0;
    while (const auto field = reader.next()) {
      if (field->malformed()) {
        add_defect(defects_, Defect::kMalformedField);
        if (targets_.top != nullptr && field->begin == 0) add_defect(defects_, Defect::kNoHeader);
        continue;
      }
      if (count++ >= limits_.fields) {
        add_defect(defects_, Defect::kTooManyFields);
        break;
      }
      take(*field, begin);
    }
    if (targets_.top != nullptr && count == 0) add_defect(defects_, Defect::kNoHeader);
  }

 private:
  using Setter = void (PartHeaderReader::*)(std::string_view value);
  struct Known {
    std::string_view name;
    Setter setter;
    bool envelope;
  };

  void take(const HeaderField& field, std::uint64_t begin) {
    std::string name = ascii::lower(field.name);
    static constexpr std::array kKnown = {
        Known{"content-type", &PartHeaderReader::content_type, false},
        Known{"content-transfer-encoding", &PartHeaderReader::content_encoding, false},
        Known{"content-id", &PartHeaderReader::content_id, false},
        Known{"content-description", &PartHeaderReader::content_description, false},
        Known{"content-md5", &PartHeaderReader::content_md5, false},
        Known{"content-disposition", &PartHeaderReader::content_disposition, false},
        Known{"content-language", &PartHeaderReader::content_language, false},
        Known{"content-location", &PartHeaderReader::content_location, false},
        Known{"date", &PartHeaderReader::date, true},
        Known{"subject", &PartHeaderReader::subject, true},
        Known{"from", &PartHeaderReader::from, true},
        Known{"sender", &PartHeaderReader::sender, true},
        Known{"reply-to", &PartHeaderReader::reply_to, true},
        Known{"to", &PartHeaderReader::to, true},
        Known{"cc", &PartHeaderReader::cc, true},
        Known{"bcc", &PartHeaderReader::bcc, true},
        Known{"in-reply-to", &PartHeaderReader::in_reply_to, true},
        Known{"message-id", &PartHeaderReader::message_id, true},
    };
    for (std::size_t i = 0; i < kKnown.size(); ++i) {
      if (kKnown[i].name != name) continue;
      if (kKnown[i].envelope && targets_.envelope == nullptr) break;
      const std::uint32_t bit = 1U << i;
      if ((seen_ & bit) != 0) {  // RFC 5322 3.6 has them once
        add_defect(defects_, Defect::kDuplicateField);
      } else {
        seen_ |= bit;
        (this->*kKnown[i].setter)(field.value);
      }
      break;
    }
    if (targets_.top != nullptr) {
      targets_.top->fields.push_back({std::move(name), {begin + field.begin, begin + field.end}});
    }
  }

  void set_type(std::string_view type, std::string_view subtype) {
    part_.type = type;
    part_.subtype = subtype;
  }

  std::vector<Parameter> use_parameters(ParsedParameters parsed) {
    if (parsed.cut) add_defect(defects_, Defect::kTooManyParameters);
    if (parsed.malformed) add_defect(defects_, Defect::kBadParameter);
    allowance_.parameters -= std::min(allowance_.parameters, parsed.list.size());
    return std::move(parsed.list);
  }

  void content_type(std::string_view value) {
    ContentType parsed = parse_content_type(unfold(value), allowance_.parameters);
    if (parsed.type.empty()) {
      // RFC 2045 5.2: the default type is to be assumed for one that can't be read.
      add_defect(defects_, Defect::kBadContentType);
    } else {
      set_type(parsed.type, parsed.subtype);
    }
    part_.parameters = use_parameters(std::move(parsed.parameters));
  }

  void content_encoding(std::string_view value) {
    const std::string text = strip_comments(unfold(value));
    std::string name = ascii::lower(ascii::trim(std::string_view(text).substr(0, text.find(';'))));
    if (name.empty()) return;
    if (transfer_encoding(name) == TransferEncoding::kUnknown) {
      add_defect(defects_, Defect::kBadEncoding);
    }
    part_.encoding = std::move(name);
  }

  void content_id(std::string_view value) { part_.id = unfold(value); }
  void content_description(std::string_view value) { part_.description = unfold(value); }
  void content_md5(std::string_view value) { part_.md5 = unfold(value); }

  void content_disposition(std::string_view value) {
    Disposition parsed = parse_disposition(unfold(value), allowance_.parameters);
    part_.disposition_parameters = use_parameters(std::move(parsed.parameters));
    if (!parsed.kind.empty()) {
      part_.disposition = std::move(parsed.kind);
    } else if (!part_.disposition_parameters.empty()) {
      part_.disposition = "attachment";  // RFC 2183 2.8: what is unknown is an attachment
    }
  }

  // RFC 3282: tags between commas.
  void content_language(std::string_view value) {
    const std::string text = strip_comments(unfold(value));
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view tag = ascii::trim(rest.substr(0, comma));
      if (!tag.empty()) {
        if (allowance_.parameters == 0) {
          add_defect(defects_, Defect::kTooManyParameters);
          return;
        }
        --allowance_.parameters;
        part_.languages.emplace_back(tag);
      }
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }

  // RFC 2557 4.2: folded where it was too long; blanks are no part of a URI.
  void content_location(std::string_view value) {
    std::string location = unfold(value);
    std::erase_if(location, is_wsp);
    part_.location = std::move(location);
  }

  void date(std::string_view value) {
    targets_.envelope->date = unfold(value);
    const auto parsed = parse_date(value);
    if (!parsed) add_defect(defects_, Defect::kBadDate);
    if (targets_.top != nullptr && parsed) targets_.top->date = parsed->seconds;
  }

  void addresses(AddressList& list, std::string_view value) {
    ParsedAddresses parsed = parse_addresses(unfold(value), allowance_.addresses);
    if (parsed.malformed) add_defect(defects_, Defect::kBadAddress);
    if (parsed.cut) add_defect(defects_, Defect::kTooManyAddresses);
    allowance_.addresses -= std::min(allowance_.addresses, parsed.list.size());
    list = std::move(parsed.list);
  }

  void subject(std::string_view value) { targets_.envelope->subject = unfold(value); }
  void from(std::string_view value) { addresses(targets_.envelope->from, value); }
  void sender(std::string_view value) { addresses(targets_.envelope->sender, value); }
  void reply_to(std::string_view value) { addresses(targets_.envelope->reply_to, value); }
  void to(std::string_view value) { addresses(targets_.envelope->to, value); }
  void cc(std::string_view value) { addresses(targets_.envelope->cc, value); }
  void bcc(std::string_view value) { addresses(targets_.envelope->bcc, value); }
  void in_reply_to(std::string_view value) { targets_.envelope->in_reply_to = unfold(value); }
  void message_id(std::string_view value) { targets_.envelope->message_id = unfold(value); }

  const MessageLimits& limits_;
  Allowance& allowance_;
  const HeaderTargets& targets_;
  Part& part_;
  DefectBits& defects_;
  std::uint32_t seen_ = 0;  // a bit per known field
};

}  // namespace

void read_part_header(std::string_view block, std::uint64_t begin, const MessageLimits& limits,
                      Allowance& allowance, const HeaderTargets& targets, DefectBits& defects) {
  PartHeaderReader(limits, allowance, targets, defects).read(block, begin);
}

}  // namespace twinpost::mail
