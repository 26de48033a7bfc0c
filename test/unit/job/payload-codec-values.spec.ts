import { describe, expect, it } from '@jest/globals';
import { PayloadCodec } from '../../../lib/job/payload-codec.js';
import { InvalidPayloadError, UnserializableError } from '../../../lib/job/payload-errors.js';
import { registeredValues, Value, valueName } from '../../../lib/job/value.decorator.js';
import { InvalidOptionError } from '../../../lib/support/queue-error.js';

@Value()
class Money {
  constructor(
    readonly cents: bigint,
    readonly since: Date,
  ) {}
  static fromJSON(json: { cents: bigint; since: Date }): Money {
    if (json.cents < 0n) throw new RangeError('less than nothing');
    return new Money(json.cents, json.since);
  }
  toJSON(): unknown {
    return { cents: this.cents, since: this.since };
  }
}

@Value('shop.Cart')
class Cart {
  constructor(readonly items: Money[]) {}
  static fromJSON(json: Money[]): Cart {
    return new Cart(json);
  }
  toJSON(): unknown {
    return this.items;
  }
}

class Discount extends Money {}

const codec = new PayloadCodec();
const back = (value: unknown): unknown =>
  codec.decode(JSON.parse(JSON.stringify(codec.encode({ value }, 'Buy')))).fields['value'];

describe('@Value()', () => {
  const price = new Money(5n, new Date(0));

  it('lets instances travel, within anything and each other', () => {
    expect(back(price)).toBeInstanceOf(Money);
    expect(back(price)).toEqual(price);
    const map = back(new Map([[price, [new Cart([price, price])]]])) as Map<Money, Cart[]>;
    const [[key, [cart]]] = [...map] as [[Money, [Cart]]];
    expect(key).toEqual(price);
    expect(cart).toBeInstanceOf(Cart);
    expect(cart.items[1]).toBeInstanceOf(Money);
    expect(JSON.stringify(codec.encode({ cart: new Cart([]) }, 'Buy'))).toBe(
      '{"$t":"Fields","v":{"cart":{"$t":"Value","name":"shop.Cart","v":[]}}}',
    );
  });

  it('is by class: a subclass without its own is refused', () => {
    expect(() => codec.encode({ price: new Discount(1n, new Date()) }, 'Buy')).toThrow(/^Buy\.price is a Discount\./);
    expect(valueName(Discount)).toBeUndefined();
  });

  it('names the path inside what toJSON() gives, and what it throws', () => {
    @Value()
    class Leaky {
      constructor(private readonly what: () => unknown) {}
      static fromJSON(): Leaky {
        return new Leaky(() => 1);
      }
      toJSON(): unknown {
        return this.what();
      }
    }
    const refused = (what: () => unknown): UnserializableError => {
      try {
        codec.encode({ a: [new Leaky(what)] }, 'Buy');
      } catch (error) {
        return error as UnserializableError;
      }
      throw new Error('It was not refused.');
    };
    expect(refused(() => ({ fn: () => 1 }))).toMatchObject({ path: 'a[0].fn' });
    const cause = new Error('not now');
    const thrown = refused(() => {
      throw cause;
    });
    expect(thrown).toBeInstanceOf(UnserializableError);
    expect(thrown).toMatchObject({ path: 'a[0]', cause, message: 'Buy.a[0] could not be read: not now' });
    let self: Leaky | undefined;
    const endless = (): unknown => (self ??= new Leaky(endless));
    expect(refused(endless).message).toMatch(/circular/);
  });

  it('wraps what fromJSON() throws', () => {
    const data = { $t: 'Fields', v: { a: { $t: 'Value', name: 'Money', v: { cents: { $t: 'BigInt', v: '-1' } } } } };
    expect(() => codec.decode(data)).toThrow(InvalidPayloadError);
    expect(() => codec.decode(data)).toThrow(/Money\.fromJSON\(\) refused what the payload holds: less than nothing/);
  });

  it('needs fromJSON, toJSON and a name', () => {
    class NoFrom {
      toJSON(): unknown {
        return 1;
      }
    }
    class NoTo {
      static fromJSON(): unknown {
        return 1;
      }
    }
    expect(() => Value()(NoFrom)).toThrow(InvalidOptionError);
    expect(() => Value()(NoFrom)).toThrow(/@Value\(\) on NoFrom needs a static fromJSON\(json\)/);
    expect(() => Value()(NoTo)).toThrow(/@Value\(\) on NoTo needs a toJSON\(\)/);
    expect(() => Value('')(Money)).toThrow(InvalidOptionError);
    expect(registeredValues().has('NoFrom')).toBe(false);
  });

  it('refuses two classes of one name, and takes one that is declared again', () => {
    const declare = (): Function =>
      class Again {
        static fromJSON(): unknown {
          return new this();
        }
        toJSON(): unknown {
          return {};
        }
      };
    class Other {
      static fromJSON(): unknown {
        return 'other';
      }
      toJSON(): unknown {
        return 'other';
      }
    }
    const [first, second] = [declare(), declare()] as [new () => object, new () => object];
    Value()(first);
    expect(() => Value('Again')(Other)).toThrow(/Two classes are registered as @Value\(\) Again/);
    Value()(second);
    expect(back(new second())).toBeInstanceOf(second);
    expect(back(new first())).toBeInstanceOf(second);
  });
});
