import type { Command } from 'commander';
import { measuredByVmm, type TdvfImage, type TdvfSection } from '../../lab/firmware.ts';
import { MEASURE_ORDERS, type Measurement, measure } from '../../lab/measure.ts';
import { TDVF_SECTION_ATTRIBUTE } from '../../spec/tdvf.ts';
import { loadFirmware, type ReadFile, readFileUpTo } from '../firmware.ts';
import { type Column, Output, type Streams } from '../output.ts';

/** The world outside, for tests. */
export interface MeasureHost {
  readonly streams: Streams;
  readonly readFile: ReadFile;
}

const ATTRIBUTE_NAMES: readonly (readonly [bit: number, name: string])[] = [
  [TDVF_SECTION_ATTRIBUTE.MR_EXTEND, 'MR.EXTEND'],
  [TDVF_SECTION_ATTRIBUTE.PAGE_AUG, 'PAGE.AUG'],
];

const COLUMNS: readonly Column[] = [
  { title: '#', align: 'right' },
  { title: 'section' },
  { title: 'GPA from', align: 'right' },
  { title: 'to', align: 'right' },
  { title: 'image offset', align: 'right' },
  { title: 'raw size', align: 'right' },
  { title: 'pages', align: 'right' },
  { title: 'added', align: 'right' },
  { title: 'measured', align: 'right' },
  { title: 'attributes' },
];

/** Adds `measure FILE [--order per-page|two-pass] [--json]`: the MRTD of a TDVF image, and what went into it. */
export function registerMeasure(program: Command, host: MeasureHost = { streams: process, readFile: readFileUpTo }): void {
  program
    .command('measure')
    .description('print the MRTD of a TDVF firmware image and its sections')
    .argument('<file>', 'TDVF image, e.g. /usr/share/ovmf/OVMF.fd')
    .option('--order <order>', "order of the host's calls: per-page (Linux) or two-pass (hosts before upstream)", 'per-page')
    .option('--json', 'print JSON')
    .action((file: string, options: { order: string; json?: boolean }) => {
      const output = new Output(host.streams);
      const order = output.choose('order', options.order, MEASURE_ORDERS);
      const { tdvf } = loadFirmware(file, output, host.readFile);
      const unknown = measuredByVmm(tdvf);
      if (unknown) output.fail(`${file}: ${unknownContents(unknown, file)}`);
      const measurement = measure(tdvf.sections, { order });
      if (options.json) output.json(toJson(file, tdvf, measurement));
      else print(output, tdvf, measurement);
    });
}

function unknownContents({ index, name }: TdvfSection, file: string): string {
  return `section ${index} (${name}) is measured but its contents come from the VMM: take the MRTD from seamline boot --firmware ${file}`;
}

function attributeNames(attributes: number): string[] {
  return ATTRIBUTE_NAMES.filter(([bit]) => attributes & bit).map(([, name]) => name);
}

const hex = (value: number) => `0x${value.toString(16)}`;

function print(output: Output, tdvf: TdvfImage, { mrtd, order, sections }: Measurement): void {
  const { colors } = output;
  output.line(`MRTD   ${colors.bold(mrtd)}`);
  output.line(`order  ${order}`);
  output.line(`image  ${tdvf.size} bytes, descriptor at ${hex(tdvf.descriptor.offset)} (${tdvf.descriptor.via})`);
  output.line();
  const rows = tdvf.sections.map((section, i) => [
    String(section.index),
    section.name,
    ...(section.memoryDataSize > 0 ? [hex(sections[i].start), hex(sections[i].end)] : ['-', '-']),
    ...(section.rawDataSize > 0 ? [hex(section.dataOffset), hex(section.rawDataSize)] : ['-', '-']),
    String(sections[i].pages),
    String(sections[i].pagesAdded),
    sections[i].pagesExtended > 0 ? colors.green(String(sections[i].pagesExtended)) : '0',
    attributeNames(section.attributes).join(' '),
  ]);
  output.table(COLUMNS, rows);
}

function toJson(file: string, tdvf: TdvfImage, { mrtd, order, sections }: Measurement): unknown {
  return {
    schema: 'seamline/measure/1',
    mrtd,
    order,
    image: { size: tdvf.size, descriptor: { offset: tdvf.descriptor.offset, via: tdvf.descriptor.via } },
    sections: tdvf.sections.map((section, i) => ({
      index: section.index,
      type: section.type,
      name: section.name,
      attributes: attributeNames(section.attributes),
      dataOffset: section.dataOffset,
      rawDataSize: section.rawDataSize,
      memoryAddress: hex(section.memoryAddress),
      memoryDataSize: hex(section.memoryDataSize),
      pages: sections[i].pages,
      pagesAdded: sections[i].pagesAdded,
      pagesExtended: sections[i].pagesExtended,
    })),
    host: { file },
  };
}
