#include "store.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <numeric>

#include "fault.h"

namespace sut {

namespace {

constexpr size_t kLine = 64;
constexpr size_t kWorthOrderingBytes = 1 << 16;

void copy_rows(const Array& from, const std::vector<size_t>& rows, Block* to) {
    const size_t bytes = from.row_bytes();
    to->resize(rows.size() * bytes);
    for (size_t place = 0; place < rows.size(); ++place)
        std::memcpy(to->data() + place * bytes, from.row(rows[place]), bytes);
}

}  // namespace

void Block::Free::operator()(std::byte* memory) const { std::free(memory); }

void Block::resize(size_t bytes) {
    const size_t whole_lines = (std::max<size_t>(bytes, 1) + kLine - 1) / kLine * kLine;
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kLine, whole_lines)));
    if (!memory_) throw std::bad_alloc();
    bytes_ = bytes;
}

Store::Store(const Dataset& dataset, size_t batch)
    : dataset_(dataset), batch_(batch), rows_(dataset.samples) {
    for (const auto& [name, array] : dataset.inputs) row_bytes_.push_back(array.row_bytes());
    inputs_.resize(dataset.inputs.size());
    if (dataset.mask) mask_bytes_ = dataset.mask->row_bytes();
}

void Store::load(const std::vector<size_t>& indices) {
    std::vector<size_t> wanted(indices);
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    if (wanted.empty() || wanted.back() >= dataset_.samples)
        throw Fault("LoadGen asks for samples that are not there");
    loaded_ = wanted.size();
    for (size_t row = 0; row < loaded_; ++row) rows_[wanted[row]] = static_cast<uint32_t>(row);
    for (size_t further = 0; further + 1 < batch_; ++further) wanted.push_back(wanted[further % loaded_]);
    for (size_t place = 0; place < inputs_.size(); ++place)
        copy_rows(dataset_.inputs[place].second, wanted, &inputs_[place]);
    if (dataset_.mask) copy_rows(*dataset_.mask, wanted, &mask_);
}

void Store::unload() {
    loaded_ = 0;
    for (auto& input : inputs_) input.clear();
    mask_.clear();
}

std::vector<uint32_t> Store::order(const std::vector<size_t>& indices) const {
    if (std::accumulate(row_bytes_.begin(), row_bytes_.end(), size_t{0}) < kWorthOrderingBytes) return {};
    std::vector<uint32_t> turns(loaded_, 0), turn(indices.size());
    for (size_t place = 0; place < indices.size(); ++place) turn[place] = turns[rows_[indices[place]]]++;
    std::vector<uint32_t> order(indices.size());
    std::iota(order.begin(), order.end(), 0U);
    const auto key = [&](uint32_t place) { return uint64_t{turn[place]} << 32 | rows_[indices[place]]; };
    std::sort(order.begin(), order.end(),
              [&](uint32_t one, uint32_t other) { return key(one) < key(other); });
    return order;
}

bool Store::together(const size_t* indices, size_t count) const {
    if (count > batch_) return false;
    const size_t first = rows_[indices[0]];
    for (size_t place = 1; place < count; ++place)
        if (rows_[indices[place]] != (first + place) % loaded_) return false;
    return true;
}

void Store::neighbours(size_t row, Batch* found) const {
    found->inputs.resize(inputs_.size());
    for (size_t place = 0; place < inputs_.size(); ++place)
        found->inputs[place] = inputs_[place].data() + row * row_bytes_[place];
    found->mask = dataset_.mask ? mask_.data() + row * mask_bytes_ : nullptr;
}

void Store::batch(const size_t* indices, size_t count, Gathered* gathered, Batch* found) const {
    if (together(indices, count)) {
        neighbours(rows_[indices[0]], found);
        return;
    }
    gathered->inputs.resize(inputs_.size());
    found->inputs.resize(inputs_.size());
    const auto gather = [&](const Block& from, size_t bytes, Block* to) {
        if (to->size() < count * bytes) to->resize(count * bytes);
        for (size_t place = 0; place < count; ++place)
            std::memcpy(to->data() + place * bytes, from.data() + rows_[indices[place]] * bytes, bytes);
        return static_cast<const std::byte*>(to->data());
    };
    for (size_t place = 0; place < inputs_.size(); ++place)
        found->inputs[place] = gather(inputs_[place], row_bytes_[place], &gathered->inputs[place]);
    found->mask = dataset_.mask ? gather(mask_, mask_bytes_, &gathered->mask) : nullptr;
}

}  // namespace sut
